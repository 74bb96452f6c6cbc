/** Messages between chains: how channels stand, what became of a message, proofs, and the audit of credit. */

import { encodeHeader } from '@vellum/ledger'
import type { Backend } from '../backend.ts'
import { requireHeight } from '../block.ts'
import { invalidParams, RpcError, SERVER_ERROR } from '../error.ts'
import { data, hex, quantity } from '../format.ts'
import { FALSE, type JsonText, jsonArray, jsonObject, jsonString, NULL, TRUE } from '../json.ts'
import { type Method, method } from '../method.ts'
import {
  defaulting,
  LATEST,
  parseBlock,
  parseHash,
  parseIndex,
  parseUint64,
  required,
} from '../parse.ts'
import type {
  PegAuditAnswer,
  PegChannel,
  PegLife,
  PegMessageFacts,
  PegPlace,
  PegPort,
  PegRelayFacts,
} from '../peg.ts'

export function pegMethods({ chain, node }: Backend, peg: PegPort): Method[] {
  const block = defaulting(parseBlock, LATEST)
  return [
    method('peg_status', [], async () =>
      jsonObject([
        ['chainId', quantity(node.chainId)],
        ['height', quantity(chain.head().header.number)],
        ['channels', jsonArray((await peg.channels()).map(formatChannel))],
      ]),
    ),
    method('peg_getMessage', [required(parseHash)], async (id) => {
      const life = await peg.message(id)
      return life === undefined ? NULL : formatLife(life)
    }),
    method('peg_getHeader', [block], (at) =>
      data(encodeHeader(chain.header(requireHeight(chain, at))!.header)),
    ),
    method(
      'peg_getProof',
      [required(parseKind), required(parseUint64), required(parseIndex), block],
      async (kind, chainId, sequence, at) => {
        const height = requireHeight(chain, at)
        const proof = await peg.proof({ kind, chainId, sequence, height })
        if (proof === undefined) throw new RpcError(SERVER_ERROR, 'there is nothing to prove')
        return jsonObject([
          ['chainId', quantity(node.chainId)],
          ['height', quantity(height)],
          ['header', data(encodeHeader(chain.header(height)!.header))],
          ['account', hex(proof.account)],
          ['slot', hex(proof.slot)],
          ['value', hex(proof.value)],
          ['accountProof', jsonArray(proof.accountProof.map(data))],
          ['storageProof', jsonArray(proof.storageProof.map(data))],
        ])
      },
    ),
    method('peg_audit', [], async () => jsonArray((await peg.audit()).map(formatAudit))),
  ]
}

function parseKind(value: unknown): 'outbox' | 'inbox' {
  if (value !== 'outbox' && value !== 'inbox') throw invalidParams('must be outbox or inbox')
  return value
}

function formatChannel(each: PegChannel): JsonText {
  const { client } = each
  return jsonObject([
    ['chainId', quantity(each.chainId)],
    ['name', each.name === undefined ? NULL : jsonString(each.name)],
    ['channel', jsonString(each.channel)],
    [
      'client',
      jsonObject([
        ['status', jsonString(client.status)],
        ['latestHeight', quantity(client.latestHeight)],
        ['latestTimestamp', quantity(client.latestTimestamp)],
        ['trustingPeriodSeconds', quantity(client.trustingPeriodSeconds)],
        ['lag', client.lag === undefined ? NULL : quantity(client.lag)],
      ]),
    ],
    ['sentCount', quantity(each.sentCount)],
    ['acknowledgedThrough', quantity(each.acknowledgedThrough)],
    ['outgoing', each.outgoing === undefined ? NULL : formatRelay(each.outgoing)],
    ['incoming', each.incoming === undefined ? NULL : formatRelay(each.incoming)],
  ])
}

function formatRelay(facts: PegRelayFacts): JsonText {
  const { lastFailure } = facts
  return jsonObject([
    ['undelivered', quantity(facts.undelivered)],
    ['unacknowledged', quantity(facts.unacknowledged)],
    ['oldestMs', quantity(Math.max(0, Math.floor(facts.oldestMs)))],
    ['transactions', quantity(facts.transactions)],
    ['failedCalls', quantity(facts.failedCalls)],
    ['mootCalls', quantity(facts.mootCalls)],
    [
      'lastFailure',
      lastFailure === undefined
        ? NULL
        : jsonObject([
            ['atMs', quantity(Math.floor(lastFailure.atMs))],
            ['reason', jsonString(lastFailure.reason)],
          ]),
    ],
  ])
}

function formatLife({ id, state, message, sent, received, acknowledged }: PegLife): JsonText {
  return jsonObject([
    ['id', hex(id)],
    ['state', jsonString(state)],
    ['message', message === undefined ? NULL : formatMessage(message)],
    ['sent', sent === undefined ? NULL : jsonObject(placeMembers(sent))],
    [
      'received',
      received === undefined
        ? NULL
        : jsonObject([...placeMembers(received), ['returnHash', hex(received.returnHash)]]),
    ],
    ['acknowledged', acknowledged === undefined ? NULL : jsonObject(placeMembers(acknowledged))],
  ])
}

function placeMembers(place: PegPlace): [string, JsonText][] {
  return [
    ['chainId', quantity(place.chainId)],
    ['blockNumber', quantity(place.height)],
    ['transactionHash', hex(place.transactionHash)],
    ['timestamp', quantity(place.timestamp)],
  ]
}

function formatMessage(message: PegMessageFacts): JsonText {
  return jsonObject([
    ['version', quantity(message.version)],
    ['sourceChainId', quantity(message.sourceChainId)],
    ['sourceGateway', hex(message.sourceGateway)],
    ['destinationChainId', quantity(message.destinationChainId)],
    ['destinationGateway', hex(message.destinationGateway)],
    ['sequence', quantity(message.sequence)],
    ['sender', hex(message.sender)],
    ['recipient', hex(message.recipient)],
    ['deadline', quantity(message.deadline)],
    ['gasLimit', quantity(message.gasLimit)],
    ['payload', data(message.payload)],
  ])
}

function formatAudit(audit: PegAuditAnswer): JsonText {
  return jsonObject([
    ['chainId', quantity(audit.chainId)],
    ['name', jsonString(audit.name)],
    ['mainHeight', quantity(audit.mainHeight)],
    ['sideHeight', quantity(audit.sideHeight)],
    ['ok', audit.ok === undefined ? NULL : audit.ok ? TRUE : FALSE],
    ['faults', jsonArray(audit.faults.map(jsonString))],
    ['locked', signed(audit.locked)],
    ['outstanding', signed(audit.outstanding)],
    ['toSide', signed(audit.toSide)],
    ['toMain', signed(audit.toMain)],
  ])
}

/** A broken audit may have numbers below zero, which no quantity has. */
function signed(value: bigint): JsonText {
  return value < 0n ? `"-0x${(-value).toString(16)}"` : quantity(value)
}
