#pragma once
// Bedrock itself, without a network: one request in, one reply out. handle() may be called from any
// thread.

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_set>

#include "tests/simulator/answer.h"
#include "tests/simulator/bodies.h"
#include "tests/simulator/config.h"
#include "tests/simulator/message.h"
#include "tests/simulator/model_table.h"
#include "tests/simulator/request_log.h"

namespace understudy::simulator {

class Service {
 public:
  explicit Service(Config config);

  Reply handle(const Request& request);

  const Config& config() const { return config_; }
  RequestLog& log() { return log_; }
  ModelTable& models() { return models_; }

 private:
  struct Call;  // one request on its way through

  Reply answer(Call& call);
  Reply call_control_plane(const Call& call);
  Reply call_model(const Call& call);
  Reply call_second_wire(const Call& call);
  Reply run_model(const Call& call, const Model& model);
  Reply count_tokens_of(const Call& call, const Model& model);
  Reply echo(const Call& call, const Model& model) const;
  Reply write(const Call& call, const Model& model, const Answer& answer,
              const RenderContext& context) const;
  AnswerSeeds seeds_for(const Prompt& prompt, const Model& model);
  void count_cached_tokens(const Prompt& prompt, const Model& model, Usage& usage);

  const Config config_;
  const std::uint64_t
      instance_;  // sets ids and latencies of this instance apart, unless deterministic
  ModelTable models_;
  RequestLog log_;
  std::atomic<std::uint64_t> sequence_{0};
  std::mutex cache_mutex_;
  std::unordered_set<std::uint64_t> cached_prefixes_;  // guarded by cache_mutex_, bounded
};

}  // namespace understudy::simulator
