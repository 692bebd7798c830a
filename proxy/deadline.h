#pragma once
// Time-outs without a timer per operation: each thing that waits carries a moment by which it must
// be done, and one coarse sweep per thread finds those that are over. Setting a deadline is two
// stores. All of it belongs to one thread.

#include <chrono>
#include <cstdint>
#include <memory>

namespace boost::asio {
class io_context;
}

namespace understudy::proxy {

class DeadlineSweep;

// Calls expired() once, between the moment set and three sweep periods later.
class Deadline {
 public:
  // What becomes of it when its thread stops: somebody waits for it, or it only tidies up.
  enum class AtStop : std::uint8_t { expires, is_dropped };

  explicit Deadline(DeadlineSweep& sweep, AtStop at_stop = AtStop::expires) noexcept
      : sweep_(sweep), at_stop_(at_stop) {}
  virtual ~Deadline() { clear(); }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  void set(std::chrono::milliseconds after) noexcept;
  void clear() noexcept;

 protected:
  // May set or clear this or other deadlines, and may destroy this one.
  virtual void expired() noexcept = 0;

 private:
  friend class DeadlineSweep;
  DeadlineSweep& sweep_;
  std::chrono::steady_clock::time_point at_{};
  Deadline* previous_ = nullptr;
  Deadline* next_ = nullptr;
  const AtStop at_stop_;
  bool listed_ = false;
};

class DeadlineSweep {
 public:
  static constexpr std::chrono::milliseconds kPeriod{50};

  // The context must outlive the sweep, the sweep its deadlines.
  explicit DeadlineSweep(boost::asio::io_context& context);
  ~DeadlineSweep();

  // Nobody is to wait any longer, so that the context runs out of work: whatever is set, or will be
  // set from now on, expires in the loop's next turn.
  void stop();

 private:
  friend class Deadline;
  struct Timer;
  void add(Deadline& deadline) noexcept;
  void remove(Deadline& deadline) noexcept;
  void arm();
  void sweep() noexcept;

  std::unique_ptr<Timer> timer_;
  Deadline* first_ = nullptr;
  Deadline* cursor_ =
      nullptr;  // the next to look at, kept right when deadlines come and go meanwhile
  std::chrono::steady_clock::time_point now_;
  bool armed_ = false;
  bool stopped_ = false;
};

}  // namespace understudy::proxy
