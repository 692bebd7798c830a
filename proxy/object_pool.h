#pragma once
// Gives the memory of ended objects to new ones of the same type. For what lives as long as one
// request and is too large for the allocator's quick paths. One thread.

#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace understudy::proxy {

template <typename T>
class ObjectPool {
 public:
  // As many as are in use at once in ordinary times; what a burst needs beyond is not kept.
  static constexpr std::size_t kMaxKept = 128;

  struct GiveBack {
    ObjectPool* pool;
    void operator()(T* object) const noexcept {
      object->~T();
      pool->keep(object);
    }
  };
  // Must not outlive the pool.
  using Pointer = std::unique_ptr<T, GiveBack>;

  ObjectPool() { unused_.reserve(kMaxKept); }
  ObjectPool(const ObjectPool&) = delete;
  ObjectPool& operator=(const ObjectPool&) = delete;
  ~ObjectPool() {
    for (void* memory : unused_) ::operator delete(memory);
  }

  template <typename... Arguments>
  Pointer make(Arguments&&... arguments) {
    void* memory = nullptr;
    if (unused_.empty()) {
      memory = ::operator new(sizeof(T));
    } else {
      memory = unused_.back();
      unused_.pop_back();
    }
    try {
      return Pointer(new (memory) T(std::forward<Arguments>(arguments)...), GiveBack{this});
    } catch (...) {
      ::operator delete(memory);
      throw;
    }
  }

 private:
  void keep(void* memory) noexcept {
    if (unused_.size() < kMaxKept) {
      unused_.push_back(memory);
    } else {
      ::operator delete(memory);
    }
  }

  std::vector<void*> unused_;
};

}  // namespace understudy::proxy
