// What the learners say, the checklist, the data, the services, the log of events.

import { byId, duration, element, known, moment, number, percent, plain, say, setClass, setText, show, Table } from "./dom.js";

const regime = new Table("regime", "Regimes", [["regime", "text"], ["now", "number"], ["time", "number"]], { empty: "No estimate yet: waiting for the estimator's first word." });
const unfilled = new Table("unfilled", "How orders ended that were not filled", [["how it ended", "text"], ["orders", "number"]], { empty: "No order has ended unfilled." });
const run = new Table("run", "Run and data", [["", "text"], ["", "number wrapped"]]);
const services = new Table("services", "Services", [["service", "text"], ["heartbeat", "number"], ["round", "number"], ["checkpoint", "number"], ["refused", "text"]],
  { empty: "Nothing is known of the services yet." });
const events = new Table("events", "Events, newest first", [["time", "text"], ["what", "text"], ["text", "text long"], ["times", "number"]], { empty: "Nothing has happened yet." });
const REGIMES = ["quiet", "normal", "volatile", "extreme"];

export function showLearned({ estimate, calibration, unfilled: ended, rejected }) {
  say("kappa-now", estimate ? `${number(estimate.kappa, 0)} ± ${number(estimate.kappa_sd, 0)}, confidence ${number(estimate.kappa_confidence)}` : "");
  say("toxicity-now", estimate ? `bid ${percent(estimate.toxicity_bid)}, ask ${percent(estimate.toxicity_ask)}${estimate.classifier_ready ? "" : " (base rate)"}` : "");
  say("calibration-now", calibration ? `gamma ${number(calibration.cal_gamma)}, progress ${percent(calibration.cal_progress)}` : "");
  say("regime-now", estimate ? `${estimate.regime_known ? estimate.regime : "not known yet"}, ${estimate.regime_changes} changes, σ ${number(estimate.sigma_bps)} bp/√s` : "");
  say("queue-now", estimate && known(estimate.cancel_odds) ? queue(estimate) : "");
  const total = estimate ? estimate.regime_seconds.reduce((sum, value) => sum + value, 0) : 0;
  regime.update(!estimate ? [] : REGIMES.map((name, index) => ({
    cells: [name, percent(estimate.regime_probabilities[index]), total ? duration(estimate.regime_seconds[index]) : "–"],
    className: name === estimate.regime ? "total" : "",
  })));
  unfilled.update([["unfilled", ended], ["rejected", rejected]].flatMap(([outcome, reasons]) =>
    Object.entries(reasons).sort((a, b) => b[1] - a[1]).map(([reason, count]) => ({ cells: [`${outcome}: ${reason.replace(/_/g, " ")}`, plain(count)] }))));
}

function queue(estimate) {
  const told = estimate.cancel_odds_known ? `${plain(estimate.cancels_seen)} cancels` : "prior: the feed does not tell";
  return `cancels ahead : behind ${number(estimate.cancel_odds)} (${number(estimate.cancel_odds_low)} … ${number(estimate.cancel_odds_high)}), ${told}`;
}

export function showWorth({ trading }) {
  const { data, markout, exposure, instrument } = trading;
  const rows = [["turnover", number(trading.turnover)],
    ["exposure, mean / peak", `${number(exposure.mean)} / ${number(exposure.peak)}`],
    [`markout at ${markout.horizon_s} s, bp`, number(markout.mean_bps, 2, true)],
    ["its 95 % interval", known(markout.low_bps) ? `${number(markout.low_bps, 2, true)} … ${number(markout.high_bps, 2, true)}` : "too little yet"],
    ["weighted by notional, bp", number(markout.notional_weighted_bps, 2, true)],
    ["gaps in the data", plain(data.gaps)],
    ["locked or crossed books", percent(data.locked_share + data.crossed_share)],
    ["books with one side alone", percent(data.one_sided_share)],
    ["data refused", [percent(data.refused_share), ...Object.entries(data.refused).map(([reason, count]) => `${plain(count)} ${reason}`)].join(", ")],
    ["queues unknown", percent(data.unknown_queue_share)],
    ["tick / lot", instrument ? `${plain(instrument.tick_size)} / ${plain(instrument.lot_size)}` : "–"],
    ["instrument guessed", instrument && instrument.inferred.length ? instrument.inferred.join(", ").replace(/_/g, " ") : "no"]];
  run.update(rows.map(cells => ({ cells })));
}

export function showChecks({ checks, counts, counts_equal, verdict, interpretation, strategy_error: failure }) {
  byId("strategy").hidden = !failure;
  if (failure) {
    say("strategy-now", `${plain(failure.count)} times so far, at last ${moment(failure.ts)}`);
    say("strategy-text", failure.text);
    say("traceback", failure.traceback);
  }
  const wall = byId("wall");
  Object.entries(checks).forEach(([name, check]) => showCheck(wall.querySelector(`[data-check="${CSS.escape(name)}"]`) ?? box(wall, name), check));
  const said = Object.entries(counts).map(([name, count]) => `${name.replace(/_/g, " ")} ${count}`).join(" · ");
  say("counts", counts_equal ? `counts agree: ${said}` : `counts do not agree: ${said}`);
  setClass(byId("counts"), counts_equal ? "" : "bad");
  say("checklist-verdict", [verdict, ...interpretation].join(" "));
}

function box(wall, name) {
  const made = element("div", "", "check"), title = element("h4", name);
  made.dataset.check = name;
  title.append(element("span"));
  made.append(title, element("p"), element("p", "", "soft"), element("p", "", "said"));
  wall.append(made);
  return made;
}

function showCheck(made, check) {
  const [title, cause, remedy, said] = made.children;
  setClass(made, `check ${check.state}`);
  setText(title.lastChild, check.state);
  setText(cause, check.cause);
  setText(remedy, check.remedy ? `→ ${check.remedy}` : "");
  setText(said, Object.entries(check.numbers).map(([key, value]) => `${key.replace(/_/g, " ")} ${plain(Number(value.toPrecision(5)))}`).join(" · "));
}

export function showServices(found) {
  services.update(Object.entries(found).map(([name, health]) => ({
    cells: [name, known(health.heartbeat_age_s) ? `${number(health.heartbeat_age_s, 1)} s` : "never", plain(health.round),
      known(health.checkpoint_age_s) ? `${number(health.checkpoint_age_s, 0)} s` : "–",
      Object.entries(health.bad_messages).map(([reason, count]) => `${count} ${reason.replace(/_/g, " ")}`).join(", ") || "nothing"],
    tones: ["", !known(health.heartbeat_age_s) || health.heartbeat_age_s > 5 ? "bad" : "", "", "", Object.keys(health.bad_messages).length ? "bad" : ""],
  })));
}

export function showEvents(found) {
  events.update([...found].reverse().map(event => ({
    cells: [moment(event.ts), event.kind, event.text, event.count > 1 ? plain(event.count) : ""],
    tones: ["", { error: "bad", warning: "wait" }[event.level] || ""],
  })));
}

export function forget() {
  show("wall");
  [regime, unfilled, run, services, events].forEach(table => table.update([]));
}
