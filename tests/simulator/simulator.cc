#include "tests/simulator/simulator.h"

#include <stdexcept>
#include <thread>
#include <utility>

#include "tests/simulator/config_loader.h"
#include "tests/simulator/server.h"
#include "tests/simulator/service.h"

namespace understudy::simulator {

std::unique_ptr<Simulator> Simulator::start(std::string_view yaml) {
  LoadResult loaded = load_config(yaml, "simulator.yaml");
  if (!loaded.problems.empty()) {
    std::string text;
    for (const std::string& problem : loaded.problems) text += problem + "\n";
    throw std::invalid_argument(text);
  }
  return start(std::move(loaded.config));
}

std::unique_ptr<Simulator> Simulator::start(Config config) {
  return std::unique_ptr<Simulator>(new Simulator(std::move(config)));
}

Simulator::Simulator(Config config)
    : service_(std::make_unique<Service>(std::move(config))),
      server_(std::make_unique<Server>(*service_)),
      port_(server_->port()) {}

Simulator::~Simulator() = default;

std::uint16_t Simulator::port() const {
  return port_;
}

std::string Simulator::address() const {
  return service_->config().address + ":" + std::to_string(port_);
}

std::string Simulator::url() const {
  return "http://" + address();
}

Counts Simulator::counts() const {
  return service_->log().counts();
}

std::vector<LoggedRequest> Simulator::requests(std::uint64_t after) const {
  return service_->log().after(after);
}

bool Simulator::wait_until(const std::function<bool(const Counts&)>& met,
                           std::chrono::milliseconds timeout) const {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!met(counts())) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds{2});
  }
  return true;
}

bool Simulator::wait_for_requests(std::uint64_t count, std::chrono::milliseconds timeout) const {
  return wait_until([count](const Counts& counts) { return counts.requests >= count; }, timeout);
}

bool Simulator::set_fault(std::string_view model_id, std::string_view fault) {
  const auto parsed = parse_fault(fault);
  return parsed && change_model(model_id, [&](Model& model) { model.fault = *parsed; });
}

bool Simulator::change_model(std::string_view model_id, const std::function<void(Model&)>& edit) {
  return service_->models().change(model_id, edit);
}

void Simulator::stop() {
  server_.reset();
}

}  // namespace understudy::simulator
