// The detector benchmark, level 2: streams of pairs through the engine, looked at after each.
//
//   detector-streams [--quick] [--only alarms|detection|safety] [--curves FILE]
//
// Exit status 0 where the targets of what was run are reached.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include "bench/detectors/stream_runs.h"

namespace {

using namespace understudy::bench;

// How much is run; the quick one proves that all works and gives no figures to quote.
struct Size {
  int false_alarm_runs = 300;
  std::uint64_t pairs = 20'000;
  int mix_runs = 100;
  int detection_runs = 100;
  std::uint64_t good_pairs = 100'000;
  int margin_runs = 200;
  int safe_runs = 100;
};
constexpr Size kQuick{.false_alarm_runs = 4,
                      .pairs = 4'000,
                      .mix_runs = 4,
                      .detection_runs = 4,
                      .good_pairs = 10'000,
                      .margin_runs = 4,
                      .safe_runs = 4};

class Targets {
 public:
  bool check(bool reached) {
    all_ = all_ && reached;
    return reached;
  }
  const char* mark(bool reached) { return check(reached) ? "reached" : "MISSED"; }
  bool all() const { return all_; }

 private:
  bool all_ = true;
};

double percent(int part, int whole) {
  return whole == 0 ? 0.0 : 100.0 * part / whole;
}

void print_false_alarms(const char* what, const FalseAlarms& found, Targets& targets) {
  const double share = percent(found.engine, found.runs);
  std::printf("| %s | %d | %.1f %% | %.0f %% | %.0f %% | %.0f %% | %s |\n", what, found.runs, share,
              percent(found.diffy, found.runs), percent(found.fixed, found.runs),
              percent(found.fixed_corrected, found.runs), targets.mark(share <= 5.0));
  std::fflush(stdout);
  for (const std::string& whose : found.whose) std::fprintf(stderr, "%s\n", whose.c_str());
}

void false_alarm_table(const Size& size, Targets& targets) {
  std::printf(
      "## Both sides one model: runs with any alarm\n\n"
      "| Streams | runs | engine | Diffy's rule | z and Mann-Whitney, 5 %% | the same, Bonferroni "
      "| at most 5 "
      "%% |\n|---|---|---|---|---|---|---|\n");
  print_false_alarms("20 families, noise 0.1 to 2 %, between two answers 2 to 12 %",
                     false_alarms({.noise_varies = true}, size.false_alarm_runs, size.pairs, 1'000),
                     targets);
  print_false_alarms(
      "the same, families, noise and latency change with the hour",
      false_alarms({.noise_varies = true, .day_and_night = true}, size.mix_runs, size.pairs, 5'000),
      targets);
}

std::string pairs_text(double pairs) {
  return std::isfinite(pairs) ? std::to_string(std::lround(pairs)) : std::string{"-"};
}

void write_curve(std::ofstream& out, std::string_view regression, const char* line,
                 const Delays& delays) {
  out << regression << '\t' << line;
  for (const auto& delay : delays) out << '\t' << (delay ? std::lround(*delay) : -1);
  out << '\n';
}

void detection_table(const Size& size, Targets& targets, std::ofstream& curves) {
  std::vector<GoodPeriod> after;
  for (int run = 0; run < size.detection_runs; ++run)
    after.push_back(good_period(size.good_pairs, 9'000 + static_cast<std::uint64_t>(run)));
  std::printf(
      "\n## Fifteen regressions in one family: its pairs until found, %d runs each\n\n"
      "| Regression | reference | median | 95 %% | within 2x | signal | family | after %llu good "
      "pairs: "
      "median | 95 %% | x fresh | one process: median | Diffy | z, Bonferroni |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
      size.detection_runs, static_cast<unsigned long long>(size.good_pairs));
  int named_signal = 0, named_family = 0, named = 0;
  std::uint64_t seed = 20'000;
  for (const Injection& injection : injections()) {
    seed += 1'000;
    const Detection fresh = detect(injection, size.detection_runs, seed);
    const LateDetection late = detect_late(injection, after);
    const double within = share_within(fresh.engine, 2.0 * injection.median_pairs);
    const double slower = quantile_of(late.engine, 0.5) / quantile_of(fresh.engine, 0.5);
    const int runs = size.detection_runs;
    std::printf(
        "| %s | %.0f | %s | %s | %.0f %% %s | %.0f %% | %.0f %% | %s | %s | %.2f %s | %s | %s | %s "
        "|\n",
        injection.regression.name.data(), injection.median_pairs,
        pairs_text(quantile_of(fresh.engine, 0.5)).c_str(),
        pairs_text(quantile_of(fresh.engine, 0.95)).c_str(), 100.0 * within,
        targets.mark(within >= 0.95), percent(fresh.right_signal, runs),
        percent(fresh.right_family, runs), pairs_text(quantile_of(late.engine, 0.5)).c_str(),
        pairs_text(quantile_of(late.engine, 0.95)).c_str(), slower, targets.mark(slower <= 2.0),
        pairs_text(quantile_of(late.whole_only, 0.5)).c_str(),
        pairs_text(quantile_of(fresh.diffy, 0.5)).c_str(),
        pairs_text(quantile_of(fresh.fixed_corrected, 0.5)).c_str());
    std::fflush(stdout);
    for (const std::string& wrong : fresh.misnamed) std::fprintf(stderr, "%s\n", wrong.c_str());
    named_signal += fresh.right_signal;
    named_family += fresh.right_family;
    named += runs;
    const std::string_view name = injection.regression.name;
    write_curve(curves, name, "fresh", fresh.engine);
    write_curve(curves, name, "late", late.engine);
    write_curve(curves, name, "late, one process", late.whole_only);
    write_curve(curves, name, "Diffy's rule", fresh.diffy);
    write_curve(curves, name, "z, Bonferroni", fresh.fixed_corrected);
  }
  const double signal = percent(named_signal, named), family = percent(named_family, named);
  std::printf(
      "\nNamed first: the right signal in %.1f %% (%s), the right family in %.1f %% (%s).\n",
      signal, targets.mark(signal >= 95.0), family, targets.mark(family >= 95.0));
}

// How near the truth "pairs needed" is.
void foretold_table(const UntilSafe& found, const char* what) {
  std::printf(
      "\n| Pairs needed in all, as told (%s), over what it took | runs | told | median | 10 %% | "
      "90 "
      "%% |\n|---|---|---|---|---|---|\n",
      what);
  for (const auto& [after, ratio] : found.foretold) {
    Delays told;
    std::ranges::copy_if(ratio, std::back_inserter(told), [](const auto& one) { return !!one; });
    const auto runs = static_cast<int>(ratio.size());
    std::printf("| after %llu pairs | %d | %.0f %% | %.2f | %.2f | %.2f |\n",
                static_cast<unsigned long long>(after), runs,
                percent(static_cast<int>(told.size()), runs), quantile_of(told, 0.5),
                quantile_of(told, 0.1), quantile_of(told, 0.9));
  }
}

void safety_table(const Size& size, Targets& targets) {
  std::printf(
      "\n## Worse by exactly the margin, everywhere: called safe after all\n\n"
      "| Gate | runs | the gate, ever | safe_to_promote, ever | at most 5 %% "
      "|\n|---|---|---|---|---|\n");
  std::uint64_t seed = 30'000;
  for (const char* signal : {"refusal", "json_contract", "tool_agreement", "latency"}) {
    const AtTheMargin found = at_the_margin(signal, size.margin_runs, size.pairs, seed += 1'000);
    const double gate = percent(found.gate_ever_safe, found.runs);
    const double verdict = percent(found.verdict_ever_safe, found.runs);
    std::printf("| %s | %d | %.1f %% | %.1f %% | %s |\n", signal, found.runs, gate, verdict,
                targets.mark(verdict <= 5.0));
    std::fflush(stdout);
  }
  const UntilSafe gates = pairs_until_safe(size.safe_runs, 0, size.pairs, 40'000);
  const double median = quantile_of(gates.pairs, 0.5);
  std::printf(
      "\nWhere nothing changes, safe_to_promote after %s pairs by the median, %s in 95 %% of %d "
      "runs (%s: "
      "3,000 by the median).",
      pairs_text(median).c_str(), pairs_text(quantile_of(gates.pairs, 0.95)).c_str(),
      size.safe_runs, targets.mark(median <= 3'000));
  const understudy::routing::VerdictConfig defaults;
  const UntilSafe all =
      pairs_until_safe(size.safe_runs, defaults.min_pairs_per_family, size.pairs, 40'000);
  std::printf(" Where every family of 2 %% must have %llu pairs as well, after %s, %s in 95 %%.\n",
              static_cast<unsigned long long>(defaults.min_pairs_per_family),
              pairs_text(quantile_of(all.pairs, 0.5)).c_str(),
              pairs_text(quantile_of(all.pairs, 0.95)).c_str());
  // 2 % of the pairs have a control then, and the gates of noise wait for these.
  const UntilSafe as_auto =
      pairs_until_safe(size.safe_runs, 0, 5 * size.pairs, 40'000, Controls::as_auto);
  std::printf(
      "With the controls of `control_percent: auto`, without that minimum, after %s, %s in 95 "
      "%%.\n",
      pairs_text(quantile_of(as_auto.pairs, 0.5)).c_str(),
      pairs_text(quantile_of(as_auto.pairs, 0.95)).c_str());
  foretold_table(gates, "gates alone");
  foretold_table(all, "with the families' minimum");
  foretold_table(as_auto, "gates alone, `control_percent: auto`");
}

}  // namespace

int main(int argc, char** argv) {
  Size size;
  std::string curves_file = "/dev/null", only;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--quick") == 0) {
      size = kQuick;
    } else if (std::strcmp(argv[i], "--curves") == 0 && i + 1 < argc) {
      curves_file = argv[++i];
    } else if (std::strcmp(argv[i], "--only") == 0 && i + 1 < argc) {
      only = argv[++i];
    } else {
      std::fprintf(stderr,
                   "usage: detector-streams [--quick] [--only alarms|detection|safety] [--curves "
                   "FILE]\n");
      return 2;
    }
  }
  std::ofstream curves(curves_file);
  Targets targets;
  if (only.empty() || only == "alarms") false_alarm_table(size, targets);
  if (only.empty() || only == "detection") detection_table(size, targets, curves);
  if (only.empty() || only == "safety") safety_table(size, targets);
  std::printf("\nTargets: %s\n", targets.all() ? "reached" : "missed");
  return targets.all() ? 0 : 1;
}
