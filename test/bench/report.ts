// Figures of a benchmark: percentiles, one table for people, one JSON line for programs.
import { cpus, loadavg } from "node:os";
import Table from "cli-table3";

/** Nearest-rank percentile of an unsorted list; NaN when it is empty. */
export function percentile(values: readonly number[], rank: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.max(0, Math.ceil((rank / 100) * sorted.length) - 1)] ?? Number.NaN;
}

export type Row = Readonly<Record<string, string | number>>;

const rounded = (value: string | number): string | number =>
  typeof value === "number" ? Math.round(value * 100) / 100 : value;

/** What was not measured is a blank to people, and null in JSON. */
const shown = (value: string | number): string | number => (Number.isNaN(value) ? "" : rounded(value));

export function report(benchmark: string, rows: readonly Row[]): void {
  const columns = Object.keys(rows[0] ?? {});
  const table = new Table({ head: columns, style: { head: [], border: [] } });
  for (const row of rows) table.push(columns.map((column) => shown(row[column] ?? "")));
  const machine = { cpus: cpus().length, load: Math.round((loadavg()[0] ?? 0) * 100) / 100, node: process.version };
  const figures = rows.map((row) => Object.fromEntries(Object.entries(row).map(([key, value]) => [key, rounded(value)])));
  process.stdout.write(`${table.toString()}\n${JSON.stringify({ benchmark, machine, figures })}\n`);
}
