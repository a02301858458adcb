// What was asked over REST and how long it took, for Prometheus. Routes, not paths: their number is bounded.
import { Histogram } from "../runtime/histogram.ts";
import type { AnsweredRequest } from "./api/api-deps.ts";

export class RequestFigures {
  readonly #durations = new Map<string, Histogram>();
  readonly #answers = new Map<string, number>();

  add({ method, route = "none", status, ms }: AnsweredRequest): void {
    const labels = `method="${method}",route="${route}"`;
    let durations = this.#durations.get(labels);
    if (durations === undefined) this.#durations.set(labels, (durations = new Histogram()));
    durations.add(ms);
    const answer = `${labels},status="${status}"`;
    this.#answers.set(answer, (this.#answers.get(answer) ?? 0) + 1);
  }

  /** Prometheus text. */
  format(): string {
    const [requests, seconds] = ["netloom_http_requests_total", "netloom_http_request_seconds"];
    return [
      `# HELP ${requests} Answered requests of the REST API`,
      `# TYPE ${requests} counter`,
      ...[...this.#answers].map(([labels, count]) => `${requests}{${labels}} ${count}`),
      `# HELP ${seconds} From the first byte of a request to the last of its answer`,
      `# TYPE ${seconds} histogram`,
      ...[...this.#durations].flatMap(([labels, durations]) => durations.series(seconds, labels)),
      "",
    ].join("\n");
  }
}
