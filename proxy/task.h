#pragma once
// The coroutine of this floor, and how it waits for Asio.
//
//   Task<Result<int>> ask(Transport& transport) {
//     const auto [error, bytes] = co_await transport.socket().async_read_some(buffer, kAsTuple);
//     ...
//     co_return 200;
//   }
//   spawn(context, ask(transport), [](std::exception_ptr failure, Result<int> answer) { ... });
//
// A task runs on the thread of one io_context, from spawn() to its end; tasks that it awaits run as
// a part of it. It begins when it is awaited, and its frame comes from a pool of the thread: a
// request is fifteen frames, and what asio::awaitable spends on them in malloc() and in hand-overs
// was a tenth of a small request's processor time (bench/README.md).
//
// What waits belongs to whom it waits for. Where an operation or a Waiter is destroyed instead, its
// task is unwound and its completion never called: by a job of its io_context, never at once, for
// whoever destroys may be what the task's frames refer to. A Waiter must go before the io_context,
// and one that lies in the frames of the very task that waits for it is woken or leaks.

#include <boost/asio/async_result.hpp>
#include <cassert>
#include <concepts>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include "proxy/frame_pool.h"

namespace boost::asio {
class io_context;
}

namespace understudy::proxy {

template <typename T>
class Task;

namespace task_detail {
template <typename T, typename Completion>
class SpawnedTask;
}  // namespace task_detail

// Everything that runs because of one spawn(): the innermost coroutine, and those that await it.
class RunningTask {
 public:
  static void* operator new(std::size_t bytes) { return take_frame(bytes); }
  static void operator delete(void* memory, std::size_t bytes) noexcept {
    give_frame_back(memory, bytes);
  }
  RunningTask(const RunningTask&) = delete;
  RunningTask& operator=(const RunningTask&) = delete;
  virtual ~RunningTask();

  // Lets `coroutine`, which runs now, wait. `begin` is given what will let it go on; when it
  // throws, the coroutine does not wait.
  template <typename Begin>
  void wait(std::coroutine_handle<> coroutine, Begin begin);

  // The one to run when this one waits or ends.
  void set_current(std::coroutine_handle<> coroutine) noexcept { current_ = coroutine; }

 protected:
  explicit RunningTask(boost::asio::io_context& context);

  // At once when the caller is on the context's thread.
  void start(std::coroutine_handle<> coroutine);
  // It is over: destroys this and tells.
  virtual void complete() = 0;

 private:
  friend class Resumption;
  void go_on();
  void abandon();

  boost::asio::io_context& context_;  // runs as long as this is there
  std::coroutine_handle<> current_;
  bool waits_ = false;
  bool left_spawn_ = false;  // and did not end before
};

// The right to let a waiting task go on, once. When it is destroyed unused, the task is unwound.
class Resumption {
 public:
  Resumption() = default;
  explicit Resumption(RunningTask& task) noexcept : task_(&task) {}
  Resumption(Resumption&& other) noexcept : task_(std::exchange(other.task_, nullptr)) {}
  Resumption& operator=(Resumption&& other) noexcept {
    std::swap(task_, other.task_);
    return *this;
  }
  ~Resumption() {
    if (task_ != nullptr) task_->abandon();
  }

  explicit operator bool() const noexcept { return task_ != nullptr; }
  // Runs the task until it waits again or is over. On its thread.
  void operator()() { std::exchange(task_, nullptr)->go_on(); }

 private:
  RunningTask* task_ = nullptr;
};

template <typename Begin>
void RunningTask::wait(std::coroutine_handle<> coroutine, Begin begin) {
  current_ = coroutine;
  begin(Resumption(*this));
  waits_ = left_spawn_ = true;
}

namespace task_detail {

class PromiseBase {
 public:
  static void* operator new(std::size_t bytes) { return take_frame(bytes); }
  static void operator delete(void* frame, std::size_t bytes) noexcept {
    give_frame_back(frame, bytes);
  }

  struct HandBack {
    bool await_ready() const noexcept { return false; }
    template <typename Promise>
    void await_suspend(std::coroutine_handle<Promise> ended) const noexcept {
      PromiseBase& promise = ended.promise();
      promise.running_->set_current(promise.awaiting_);
    }
    void await_resume() const noexcept {}
  };

  std::suspend_always initial_suspend() const noexcept { return {}; }
  HandBack final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept { failure_ = std::current_exception(); }

  RunningTask& running() noexcept { return *running_; }
  const std::exception_ptr& failure() const noexcept { return failure_; }
  void run_as_part_of(RunningTask& running, std::coroutine_handle<> awaiting) noexcept {
    running_ = &running;
    awaiting_ = awaiting;
  }

 private:
  RunningTask* running_ = nullptr;
  std::coroutine_handle<> awaiting_;  // none: spawned
  std::exception_ptr failure_;
};

template <typename T>
class Promise final : public PromiseBase {
 public:
  Task<T> get_return_object() noexcept;
  template <std::convertible_to<T> U>
  void return_value(U&& value) {
    value_.emplace(std::forward<U>(value));
  }
  T take() { return *std::move(value_); }

 private:
  std::optional<T> value_;
};

template <>
class Promise<void> final : public PromiseBase {
 public:
  Task<void> get_return_object() noexcept;
  void return_void() const noexcept {}
  void take() const noexcept {}
};

}  // namespace task_detail

// Owns a coroutine that has not begun, runs or is over.
template <typename T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = task_detail::Promise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  // Runs it at once, like a call: the awaiting coroutine only waits when this one has to.
  auto operator co_await() && noexcept { return Awaiter{handle_}; }

 private:
  struct Awaiter {
    Handle task;
    bool await_ready() const noexcept { return false; }
    template <typename Promise>
    bool await_suspend(std::coroutine_handle<Promise> awaiting) const {
      assert(!task.done());
      task.promise().run_as_part_of(awaiting.promise().running(), awaiting);
      task.resume();
      return !task.done();
    }
    T await_resume() const { return outcome(task); }
  };

  friend promise_type;
  template <typename, typename>
  friend class task_detail::SpawnedTask;
  explicit Task(Handle handle) noexcept : handle_(handle) {}

  // What it returned, or throws what it threw.
  static T outcome(Handle ended) {
    if (ended.promise().failure()) std::rethrow_exception(ended.promise().failure());
    return ended.promise().take();
  }

  Handle handle_;
};

template <typename T>
Task<T> task_detail::Promise<T>::get_return_object() noexcept {
  return Task<T>(Task<T>::Handle::from_promise(*this));
}
inline Task<void> task_detail::Promise<void>::get_return_object() noexcept {
  return Task<void>(Task<void>::Handle::from_promise(*this));
}

namespace task_detail {

template <typename T, typename Completion>
class SpawnedTask final : public RunningTask {
 public:
  SpawnedTask(boost::asio::io_context& context, Task<T> task, Completion completion)
      : RunningTask(context), completion_(std::move(completion)), task_(std::move(task)) {}

  void begin() {
    task_.handle_.promise().run_as_part_of(*this, nullptr);
    start(task_.handle_);
  }

 private:
  // Its frames are gone when the completion hears of it.
  void complete() override {
    std::unique_ptr<SpawnedTask> self(this);
    const std::exception_ptr failure = task_.handle_.promise().failure();
    Completion completion = std::move(completion_);
    if constexpr (std::is_void_v<T>) {
      self.reset();
      completion(failure);
    } else {
      T value = failure ? T{} : Task<T>::outcome(task_.handle_);
      self.reset();
      completion(failure, std::move(value));
    }
  }

  Completion completion_;
  Task<T> task_;  // goes first: its frames may use what the completion keeps
};

}  // namespace task_detail

// Runs `task` on the thread of `context`: at once when called there. When it is over, `completion`
// is called there with what it threw and what it returned; never before a spawn() on that thread
// has returned. Where the task is unwound, it is only destroyed.
template <typename T, typename Completion>
void spawn(boost::asio::io_context& context, Task<T> task, Completion completion) {
  (new task_detail::SpawnedTask<T, Completion>(context, std::move(task), std::move(completion)))
      ->begin();
}

// Token for Asio's operations: `co_await` gives all that the operation tells, as a tuple.
struct AsTuple {};
inline constexpr AsTuple kAsTuple;

template <typename Outcome, typename Initiation, typename... Arguments>
class [[nodiscard]] Operation {
 public:
  explicit Operation(Initiation initiation, Arguments... arguments)
      : initiation_(std::move(initiation)), arguments_(std::move(arguments)...) {}
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  bool await_ready() const noexcept { return false; }
  template <typename Promise>
  void await_suspend(std::coroutine_handle<Promise> awaiting) {
    awaiting.promise().running().wait(awaiting, [this](Resumption go_on) {
      std::apply(
          [&](Arguments&... arguments) {
            std::move(initiation_)(Handler{std::move(go_on), &outcome_}, std::move(arguments)...);
          },
          arguments_);
    });
  }
  Outcome await_resume() { return *std::move(outcome_); }

 private:
  struct Handler {
    Resumption go_on;
    std::optional<Outcome>* outcome;
    template <typename... Values>
    void operator()(Values&&... values) {
      outcome->emplace(std::forward<Values>(values)...);
      go_on();
    }
  };

  Initiation initiation_;
  std::tuple<Arguments...> arguments_;
  std::optional<Outcome> outcome_;
};

}  // namespace understudy::proxy

template <typename... Values>
class boost::asio::async_result<understudy::proxy::AsTuple, void(Values...)> {
 public:
  template <typename Initiation, typename... Arguments>
  static auto initiate(Initiation&& initiation, understudy::proxy::AsTuple,
                       Arguments&&... arguments) {
    return understudy::proxy::Operation<std::tuple<std::decay_t<Values>...>,
                                        std::decay_t<Initiation>, std::decay_t<Arguments>...>(
        std::forward<Initiation>(initiation), std::forward<Arguments>(arguments)...);
  }
};
