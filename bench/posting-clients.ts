import { Agent } from 'node:http';
import { postedDocument } from './data/documents.ts';
import { exchange } from './http-exchange.ts';
import { type Latencies, summarise } from './latencies.ts';

/*
 * A process of its own, so that the clients do not take turns with whoever measures: a number of clients, each of which posts
 * one document after another over a connection that stays open. Prints a `PostingResult` as JSON.
 */

export interface PostingRequest {
  url: string;
  clients: number;
  seconds: number;
  documentBytes: number;
}

export interface PostingResult extends Latencies {
  /** Documents a second. */
  rate: number;
  /** Answers other than 201, by status. */
  failures: Record<string, number>;
}

const { url, clients, seconds, documentBytes } = JSON.parse(process.argv[2] ?? '{}') as PostingRequest;
const agent = new Agent({ keepAlive: true, maxSockets: clients });
const milliseconds: number[] = [];
const failures: Record<string, number> = {};
const began = performance.now();
await Promise.all(Array.from({ length: clients }, (_client, index) => post(index)));
const elapsed = (performance.now() - began) / 1000;
agent.destroy();
const result: PostingResult = { rate: milliseconds.length / elapsed, failures, ...summarise(milliseconds) };
process.stdout.write(JSON.stringify(result));

async function post(client: number): Promise<void> {
  for (let count = 0; performance.now() - began < seconds * 1000; count++) {
    const body = postedDocument(`client-${client}`, documentBytes, client, count);
    const answer = await exchange(agent, 'POST', `${url}/backups`, body);
    if (answer.status === 201) milliseconds.push(answer.milliseconds);
    else failures[answer.status] = (failures[answer.status] ?? 0) + 1;
  }
}
