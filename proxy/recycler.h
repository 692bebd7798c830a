#pragma once
// Gives objects that end on another thread back to the thread that made them, to be used again with
// the memory that they have grown. What crosses threads with every request would otherwise be
// allocated in one thread and freed in another, the dearest way to use an allocator.

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace understudy::proxy {

template <typename T>
class Recycler;

// Derive from it what is to be recycled. T::clear() noexcept drops what the object refers to and
// keeps its memory, within reason; it is called on the thread where the object ends.
template <typename T>
class Recycled {
 private:
  friend class Recycler<T>;
  Recycler<T>* home_ = nullptr;
  T* next_ = nullptr;  // while it is unused
};

// One thread takes; any thread lets go. Must outlive what was taken.
template <typename T>
class Recycler {
 public:
  static constexpr std::size_t kMaxKept = 128;

  struct GiveBack {
    void operator()(T* object) const noexcept { give_back(object); }
  };
  using Pointer = std::unique_ptr<T, GiveBack>;

  Recycler() = default;
  Recycler(const Recycler&) = delete;
  Recycler& operator=(const Recycler&) = delete;
  ~Recycler() {
    collect();
    while (unused_) delete std::exchange(unused_, next_of(unused_));
  }

  // Throws std::bad_alloc.
  Pointer take() {
    if (!unused_) collect();
    if (!unused_) {
      Pointer made(new T);
      static_cast<Recycled<T>&>(*made).home_ = this;
      return made;
    }
    return Pointer(std::exchange(unused_, next_of(unused_)));
  }

  // What GiveBack does, for those who keep the object by another pointer.
  static void give_back(T* object) noexcept {
    object->clear();
    Recycled<T>& link = *object;
    std::atomic<T*>& returned = link.home_->returned_;
    link.next_ = returned.load(std::memory_order_relaxed);
    while (!returned.compare_exchange_weak(link.next_, object, std::memory_order_release,
                                           std::memory_order_relaxed)) {
    }
  }

 private:
  static T* next_of(T* object) noexcept { return static_cast<Recycled<T>*>(object)->next_; }

  // The whole stack is taken at once, so no other thread can see an object twice.
  void collect() noexcept {
    T* object = returned_.exchange(nullptr, std::memory_order_acquire);
    for (std::size_t kept = 0; object; ++kept) {
      T* next = next_of(object);
      if (kept < kMaxKept) {
        static_cast<Recycled<T>*>(object)->next_ = std::exchange(unused_, object);
      } else {
        delete object;
      }
      object = next;
    }
  }

  T* unused_ = nullptr;                // the taking thread's
  std::atomic<T*> returned_{nullptr};  // any thread's
};

// Keeps a recycled object's string usable and small: drops the text, and the memory of an unusual
// one.
void clear_for_reuse(auto& text) noexcept {
  constexpr std::size_t kOrdinary = 8u << 10;
  if (text.capacity() > kOrdinary) {
    std::remove_reference_t<decltype(text)>{}.swap(text);
  } else {
    text.clear();
  }
}

}  // namespace understudy::proxy
