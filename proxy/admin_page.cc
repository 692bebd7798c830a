#include "proxy/admin_page.h"

#include <random>
#include <string_view>

#include "routing/hash.h"

namespace understudy::proxy {
namespace {

constexpr std::string_view kNoncePlace = "@NONCE@";

// Data reaches the document as text nodes only: no name or model id can become markup.
constexpr std::string_view kPage = R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Understudy</title>
<style nonce="@NONCE@">
:root { color-scheme: light dark; --ink: #1d2330; --dim: #667085; --line: #e3e6ec; --card: #fff; --back: #f5f6f9;
  --primary: #3559d4; --candidate: #b4541a; --good: #1a7f4b; --bad: #b42318; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaf0; --dim: #98a2b3; --line: #2c3342; --card: #1a2030;
  --back: #10141f; --primary: #8fa8ff; --candidate: #f0a36b; --good: #5fd39a; --bad: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
header { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; align-items: baseline; padding: 1.1rem 1.6rem .2rem; }
h1 { font-size: 1.25rem; margin: 0; } h2 { font-size: 1.05rem; margin: 0; } h3 { font-size: .8rem; margin: 1.1rem 0 .3rem;
  color: var(--dim); text-transform: uppercase; letter-spacing: .05em; }
main { padding: .8rem 1.6rem 2rem; display: grid; gap: 1rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1rem 1.2rem; overflow-x: auto; }
.dim { color: var(--dim); } .good { color: var(--good); } .bad { color: var(--bad); }
.primary { color: var(--primary); } .candidate { color: var(--candidate); }
.facts { display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin-top: .6rem; }
.fact b { display: block; font-size: 1.25rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.fact span { color: var(--dim); font-size: .82rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .25rem .7rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--dim); font-weight: 500; font-size: .82rem; }
th:first-child, td:first-child { text-align: left; padding-left: 0; } td.text { text-align: left; white-space: normal; min-width: 22rem; }
ul { margin: .3rem 0; padding-left: 1.2rem; }
</style>
</head>
<body>
<header><h1>Understudy</h1><span id="state" class="dim">loading</span><span id="process" class="dim"></span></header>
<main id="routes"></main>
<script nonce="@NONCE@">
'use strict';
const number = new Intl.NumberFormat('en', {maximumFractionDigits: 2});
const unknown = value => value === null || value === undefined;
const count = value => unknown(value) ? '–' : number.format(value);
const share = value => unknown(value) ? '–' : number.format(value) + ' %';
const rate = value => unknown(value) ? '–' : (100 * value).toFixed(2) + ' %';
const usd = value => unknown(value) ? '–' : '$' + value.toFixed(value < 1 ? 5 : 2);
const seconds = value => unknown(value) ? '–' : value < 1 ? (1000 * value).toFixed(value < .01 ? 1 : 0) + ' ms' : value.toFixed(2) + ' s';
const sum = reasons => Object.values(reasons).reduce((a, b) => a + b, 0);

function make(tag, text, kind) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (kind) element.className = kind;
  return element;
}
function put(parent, ...children) { parent.append(...children); return parent; }
function fact(name, value, kind) { return put(make('div', undefined, 'fact'), make('b', value, kind), make('span', name)); }
function table(heads, rows) {
  const head = put(make('tr'), ...heads.map(text => make('th', text)));
  const body = rows.map(cells => put(make('tr'), ...cells.map(cell => cell instanceof Node ? cell : make('td', cell))));
  return put(make('table'), put(make('thead'), head), put(make('tbody'), ...body));
}
function variant(name, value) {
  const model = value.model === null ? 'the model the client asks for' : value.model;
  return make('span', name + ': ' + model + ' at ' + value.upstream, name);
}
function measured(list) {
  const rows = list.map(m => [make('td', m.variant + ', ' + m.leg, m.variant), count(m.requests),
    count(m.errors), seconds(m.latency_seconds.p50), seconds(m.latency_seconds.p95), seconds(m.first_token_seconds.p50),
    seconds(m.first_token_seconds.p95), count(m.tokens.input), count(m.tokens.output), count(m.usage_missing), usd(m.cost_usd)]);
  return table(['variant, leg', 'calls', 'errors', 'p50', 'p95', 'first token p50', 'p95', 'tokens in', 'out',
    'usage missing', 'cost'], rows);
}
function books(counts) {
  const rows = [];
  for (const result of ['skipped', 'dropped', 'failed']) {
    for (const [reason, n] of Object.entries(counts[result])) if (n > 0) rows.push([result, reason.replaceAll('_', ' '), count(n)]);
  }
  return rows.length ? [make('h3', 'Not compared, and why'), table(['result', 'reason', 'exchanges'], rows)] : [];
}
function reasons(list) {
  const rows = list.map(r => [r.signal.replaceAll('_', ' '), count(r.pairs), rate(r.primary_rate), rate(r.candidate_rate),
    r.interval === null ? '–' : rate(r.difference) + '  [' + rate(r.interval[0]) + ', ' + rate(r.interval[1]) + ']',
    make('td', r.text, 'text')]);
  return table(['signal', 'pairs', 'primary', 'candidate', 'difference [95 %]', 'in words'], rows);
}
function route(r) {
  const card = put(make('section'), make('h2', r.name));
  put(card, put(make('div', undefined, 'facts'), variant('primary', r.primary),
    r.candidate === null ? make('span', 'no candidate', 'dim') : variant('candidate', r.candidate)));
  put(card, put(make('div', undefined, 'facts'), fact('shadow', share(r.shadow_percent)), fact('canary', share(r.canary_percent)),
    fact('served by the candidate', share(r.served.candidate_percent)), fact('eligible', count(r.counts.eligible)),
    fact('compared', count(r.counts.compared), 'good'), fact('failed', count(sum(r.counts.failed)), sum(r.counts.failed) ? 'bad' : ''),
    fact('dropped', count(sum(r.counts.dropped)), sum(r.counts.dropped) ? 'bad' : ''), fact('skipped', count(sum(r.counts.skipped))),
    fact('verdict', r.verdict.replaceAll('_', ' '))));
  if (r.measured.length) put(card, make('h3', 'Latency, tokens, cost'), measured(r.measured));
  if (r.counts.compared > 0) put(card, make('h3', 'Divergence'), reasons(r.reasons));
  return put(card, ...books(r.counts));
}
function draw(status) {
  const state = document.getElementById('state');
  state.textContent = status.ready ? 'ready' : status.draining ? 'draining' : 'starting';
  state.className = status.ready ? 'good' : 'bad';
  const load = status.load;
  document.getElementById('process').textContent = 'version ' + status.version + ' · up ' + count(status.uptime_seconds) +
    ' s · config ' + status.config.hash + ' · ' + count(load.connections) + ' connections · ' + count(load.shadow_in_flight) + ' copies under way · prices of ' + status.prices_as_of;
  const cards = status.routes.map(route);
  const last = status.config.last_reload;
  if (last !== null && last.result === 'refused') {
    cards.unshift(put(make('section'), make('h2', 'The last reload was refused; the config before it is in force', 'bad'),
      put(make('ul'), ...last.problems.map(problem => make('li', problem)))));
  }
  if (status.default_route !== null) {
    const card = put(make('section'), make('h2', 'Default route'), make('p', 'What no route matches goes to ' +
      status.default_route.upstream + ' and is never copied.', 'dim'));
    if (status.default_route.measured.length) put(card, measured(status.default_route.measured));
    cards.push(card);
  }
  document.getElementById('routes').replaceChildren(...cards);
}
async function refresh() {
  try {
    const reply = await fetch('/api/status', {cache: 'no-store'});
    if (!reply.ok) throw new Error('status ' + reply.status);
    draw(await reply.json());
  } catch (error) {
    const state = document.getElementById('state');
    state.textContent = 'not reachable: ' + error.message;
    state.className = 'bad';
  }
  setTimeout(refresh, 2000);
}
refresh();
</script>
</body>
</html>
)html";

std::string make_nonce() {
  std::random_device random;
  const auto bits = [&random] { return (std::uint64_t{random()} << 32) | random(); };
  return routing::hex(bits()) + routing::hex(bits());
}

}  // namespace

AdminPage make_admin_page() {
  const std::string nonce = make_nonce();
  AdminPage page{
      .html = std::string(kPage),
      .content_security_policy =
          "default-src 'none'; script-src 'nonce-" + nonce + "'; style-src 'nonce-" + nonce +
          "'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"};
  for (std::size_t at = page.html.find(kNoncePlace); at != std::string::npos;
       at = page.html.find(kNoncePlace, at)) {
    page.html.replace(at, kNoncePlace.size(), nonce);
  }
  return page;
}

}  // namespace understudy::proxy
