/** Somebody's licence, and the keys of those who have to do with it. All made up. */

import { createKeyHolder, type KeyHolder, type LicenceData } from '../src/index.ts'

/** A key that a number stands for. */
export function keyOf(seed: number): KeyHolder {
  return createKeyHolder(secretOf(seed))
}

export function secretOf(seed: number): Uint8Array {
  return new Uint8Array(32).fill(seed)
}

export const CHAIN_ID = 20_261n
export const NOW = 1_790_000_000

export const DATA: LicenceData = {
  identifier: '1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.U',
  typeName: '不动产权证书',
  number: '湘(2026)长沙市不动产权第0012345号',
  issueDate: '2026-03-01',
  issuerName: '湖南省自然资源厅',
  validFrom: '2026-03-01',
  validUntil: '2036-02-29',
  region: '430100',
  holderName: '欧阳明月',
  holderCode: '34052419800101001X',
  holderCodeType: 'citizen number',
  body: {
    address: '长沙市岳麓区麓山南路932号3栋1801室',
    area: 128.46,
    use: '住宅',
    shared: false,
    unit: '430104001001GB00021F00010012',
    right: '国有建设用地使用权/房屋所有权',
    term: '2089-06-30',
    origin: '市场化商品房',
  },
}
