// What is said in words and tables: decisions, service events, deployments, latency, compute and the ledger.

import { KeyedList, byId, fillTable, make, setText } from "./dom.js";
import { count, seconds, share, timeOfDay } from "./format.js";

const told = (id) => new KeyedList(byId(id), (one) => {
  const element = make("li");
  element.append(make("time", "", timeOfDay(one.at_utc)), make("span", "", one.text));
  return { element, update: () => {} };
});

const lists = { decisions: told("decisions"), events: told("events") };

const LEDGER = [
  ["received", "received since the start"],
  ["succeeded", "done and deleted"],
  ["retried", "given back after a failed or postponed attempt"],
  ["buried", "copied to the dead-letter queue, then deleted"],
  ["parked", "hopeless and hidden, for want of a dead-letter queue"],
  ["continued", "sent again with a checkpoint"],
  ["duplicate", "second deliveries of a message held or done"],
  ["released", "given back unfinished, at no fault of the job"],
  ["lease_lost", "no longer ours when they ended"],
  ["orphaned", "explained by no line above: must be 0"],
];

export function showTold(service) {
  for (const [name, list] of Object.entries(lists)) {
    list.update(service[name], (one) => one.number);
    if (!service[name].length && !byId(name).firstElementChild) byId(name).dataset.empty = "None yet";
    else delete byId(name).dataset.empty;
  }
  setText(byId("scaling-note"), !service.is_scaled ? "Off: the count is set by hand."
    : service.scaling_metric === null ? "On. There is no value of its metric yet."
      : `Metric ${share1(service.scaling_metric)}, target ${share1(service.scaling_target)}.`);
}

const share1 = (number) => (number === null ? "–" : Number(number).toFixed(1));

export function showTables(service) {
  fillTable(byId("deployments").tBodies[0], service.deployments.map((one) => [
    String(one.revision), `${one.status}, ${one.rollout_state.replace("_", " ").toLowerCase()}`,
    `${count(one.running)} of ${count(one.desired)}`, count(one.pending), count(one.failed),
  ]));
  const row = (name, found) => [name, seconds(found.p50_s), seconds(found.p90_s), seconds(found.p99_s), count(found.count)];
  fillTable(byId("latency").tBodies[0], [row("wait", service.wait), row("run", service.run)]);
  setText(byId("c-task"), count(service.task_seconds));
  setText(byId("c-busy"), count(service.busy_slot_seconds));
  setText(byId("c-share"), share(service.busy_slot_seconds, service.task_seconds * service.slots));
  showLedger(service.ledger);
}

function showLedger(ledger) {
  const body = byId("ledger").tBodies[0];
  const known = LEDGER.filter(([name]) => name in ledger);
  fillTable(body, known.map(([name, meaning]) => [name.replace("_", " "), count(ledger[name]), meaning]));
  known.forEach(([name], number) => body.rows[number].classList.toggle("sum", name === "orphaned"));
  setText(byId("ledger-verdict"), ledgerVerdict(ledger.orphaned));
  byId("ledger-verdict").classList.toggle("bad", ledger.orphaned > 0);
}

function ledgerVerdict(orphaned) {
  if (orphaned === undefined) return "Every received message ends in one line.";
  return orphaned ? `${count(orphaned)} messages are not accounted for. This is a bug: please report it.`
    : "Every received message ends in one line. Nothing is orphaned.";
}
