#pragma once
// Verdicts and gates in plain words, the same for the page, the API and the command.

#include <string>
#include <string_view>

#include "metrics/verdict.h"

namespace understudy::metrics {

std::string text_of(const GateResult& result);
std::string text_of(const QuantileResult& result);
std::string text_of(const Verdict& verdict, const CoverageFacts& facts);
// With as many digits as help: "98.1", "0.03".
std::string text_of_number(double number);

}  // namespace understudy::metrics
