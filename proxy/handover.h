#pragma once
// Hands work from many threads to one, without a lock and without waking it: the consumer looks by
// itself every few milliseconds. A sleeping consumer that had to be woken would cost the io thread
// a system call for each hand-over.

#include <atomic>
#include <memory>
#include <utility>

namespace understudy::proxy {

// Derive from it what is to be handed over.
template <typename T>
struct HandoverNode {
  T* next_handed_over = nullptr;
};

// T derives from HandoverNode<T>. The queue owns what it holds. It has no bound of its own: whoever
// pushes has been admitted.
template <typename T, typename Pointer = std::unique_ptr<T>>
class Handover {
 public:
  Handover() = default;
  Handover(const Handover&) = delete;
  Handover& operator=(const Handover&) = delete;
  ~Handover() {
    take_all([](Pointer) {});
  }

  // Any thread.
  void push(Pointer item) noexcept {
    T* node = item.release();
    node->next_handed_over = newest_.load(std::memory_order_relaxed);
    while (!newest_.compare_exchange_weak(node->next_handed_over, node, std::memory_order_release,
                                          std::memory_order_relaxed)) {
    }
  }

  // One thread. Calls take(Pointer) for everything that has been pushed, the oldest
  // first; true if there was any.
  template <typename Take>
  bool take_all(Take take) {
    T* node = newest_.exchange(nullptr, std::memory_order_acquire);
    T* oldest = nullptr;
    while (node) {
      T* next = std::exchange(node->next_handed_over, oldest);
      oldest = std::exchange(node, next);
    }
    const bool any = oldest != nullptr;
    while (oldest) take(Pointer(std::exchange(oldest, oldest->next_handed_over)));
    return any;
  }

 private:
  std::atomic<T*> newest_{nullptr};
};

}  // namespace understudy::proxy
