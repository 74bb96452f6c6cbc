/** Numbers of relayed links, for each direction by the names of its chains: `main>side`. */

import type { DirectionStatus } from '@vellum/sidechain'
import type { Metrics } from './metrics.ts'
import type { RelayLink } from './relay.ts'

/** @param links those of the moment */
export function registerLinkMetrics(metrics: Metrics, links: () => Iterable<RelayLink>): void {
  const gauge = (
    name: string,
    help: string,
    read: (status: DirectionStatus) => number | undefined,
  ): void =>
    metrics.gauges(name, help, 'channel', function* () {
      for (const { chains, status } of links()) {
        const [a, b] = chains.map((chain) => chain.name)
        yield [`${a}>${b}`, read(status(0))] as const
        yield [`${b}>${a}`, read(status(1))] as const
      }
    })
  gauge('vellum_relay_undelivered', 'Messages that were sent and not received.', (each) => {
    return each.undelivered
  })
  gauge(
    'vellum_relay_unacknowledged',
    'Messages that were received, whose sender does not know the outcome.',
    (each) => each.unacknowledged,
  )
  gauge(
    'vellum_relay_oldest_seconds',
    'Time since the oldest message without an outcome was sent.',
    (each) => each.oldestMs / 1_000,
  )
  gauge(
    'vellum_relay_client_lag_blocks',
    'Blocks of the source that the light client at the destination has not seen.',
    (each) => each.client.lag,
  )
  gauge('vellum_relay_client_active', '1 while the light client answers.', (each) =>
    Number(each.client.status === 'active'),
  )
  gauge('vellum_relay_launched', 'Transactions begun since the start.', (each) => {
    return each.counts.launched
  })
  gauge('vellum_relay_landed', 'Transactions in a block since the start.', (each) => {
    return each.counts.landed
  })
  gauge('vellum_relay_lost', 'Transactions given up since the start.', (each) => each.counts.lost)
  gauge('vellum_relay_failed_calls', 'Calls that failed since the start.', (each) => {
    return each.counts.failed
  })
  gauge(
    'vellum_relay_moot_calls',
    'Calls that others had made before, since the start.',
    (each) => each.counts.moot,
  )
  gauge('vellum_relay_last_failure_seconds', 'Time of the last failure, since 1970.', (each) =>
    each.lastFailure === undefined ? undefined : each.lastFailure.atMs / 1_000,
  )
}
