#pragma once
// The numbers of a model by the names that the config file and the admin endpoint both use.

#include <array>
#include <string_view>

#include "tests/simulator/config.h"

namespace understudy::simulator {

template <class Owner>
struct NumberSetting {
  std::string_view name;
  double Owner::*member;
};

inline constexpr std::array<NumberSetting<ErrorRates>, 6> kErrorSettings{{
    {"throttle_percent", &ErrorRates::throttle},
    {"not_ready_percent", &ErrorRates::not_ready},
    {"internal_percent", &ErrorRates::internal},
    {"unavailable_percent", &ErrorRates::unavailable},
    {"model_error_percent", &ErrorRates::model_error},
    {"model_timeout_percent", &ErrorRates::model_timeout},
}};

inline constexpr std::array<NumberSetting<AnswerStyle>, 12> kStyleSettings{{
    {"fence_json_percent", &AnswerStyle::fence_json_percent},
    {"json_rename_percent", &AnswerStyle::json_rename_percent},
    {"refuse_percent", &AnswerStyle::refuse_percent},
    {"tool_rename_percent", &AnswerStyle::tool_rename_percent},
    {"tool_retype_percent", &AnswerStyle::tool_retype_percent},
    {"tool_parallel_percent", &AnswerStyle::tool_parallel_percent},
    {"cut_percent", &AnswerStyle::cut_percent},
    {"german_percent", &AnswerStyle::german_percent},
    {"markdown_percent", &AnswerStyle::markdown_percent},
    {"thinking_percent", &AnswerStyle::thinking_percent},
    {"paraphrase_percent", &AnswerStyle::paraphrase_percent},
    {"resample_percent", &AnswerStyle::resample_percent},
}};

struct RejectionSetting {
  std::string_view name;
  bool Rejections::*member;
};

inline constexpr std::array<RejectionSetting, 9> kRejectionSettings{{
    {"temperature", &Rejections::temperature},
    {"top_p", &Rejections::top_p},
    {"top_k", &Rejections::top_k},
    {"temperature_and_top_p", &Rejections::temperature_and_top_p},
    {"thinking_enabled", &Rejections::thinking_enabled},
    {"prefill", &Rejections::prefill},
    {"forced_tool_choice", &Rejections::forced_tool_choice},
    {"cache_control", &Rejections::cache_control},
    {"beta", &Rejections::beta},
}};

}  // namespace understudy::simulator
