#include "metrics/blocks.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <new>

namespace understudy::metrics {

// Stands in front of the bytes. `next` links unused blocks and those on their way home.
struct alignas(std::max_align_t) Block::Header {
  BlockPool* pool;
  Header* next;
  std::size_t capacity;
  std::size_t size;
  std::size_t size_class;
  std::atomic<std::uint32_t> owners;
};

namespace {

constexpr std::size_t kSmallest = 2u << 10;

// Larger than the last class means: not kept.
std::size_t class_of(std::size_t capacity) noexcept {
  if (capacity <= kSmallest) return 0;
  return static_cast<std::size_t>(std::bit_width(capacity - 1) - std::bit_width(kSmallest - 1));
}

// Between objects that stay, the allocator keeps what is freed: whole pages go back to the system
// by hand. They read as zeros from then on.
void release_pages(char* begin, std::size_t size) noexcept {
  static const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const std::uintptr_t first = (reinterpret_cast<std::uintptr_t>(begin) + page - 1) / page * page;
  const std::uintptr_t end = (reinterpret_cast<std::uintptr_t>(begin) + size) / page * page;
  if (first < end) madvise(reinterpret_cast<void*>(first), end - first, MADV_DONTNEED);
}

}  // namespace

char* Block::data() const noexcept {
  return reinterpret_cast<char*>(header_ + 1);
}
std::size_t Block::capacity() const noexcept {
  return header_->capacity;
}
std::size_t Block::size() const noexcept {
  return header_ ? header_->size : 0;
}
void Block::set_size(std::size_t size) noexcept {
  header_->size = std::min(size, header_->capacity);
}

void Block::retain() const noexcept {
  if (header_) header_->owners.fetch_add(1, std::memory_order_relaxed);
}

void Block::release() noexcept {
  if (!header_) return;
  Header* header = std::exchange(header_, nullptr);
  if (header->owners.fetch_sub(1, std::memory_order_acq_rel) == 1) header->pool->give_back(header);
}

BlockPool::~BlockPool() {
  collect_returned();
  for (Block::Header* header : unused_) {
    while (header) ::operator delete(std::exchange(header, header->next));
  }
}

Block BlockPool::take(std::size_t capacity) {
  if (owner_.load(std::memory_order_relaxed) == std::thread::id{}) {
    owner_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  }
  const std::size_t size_class = class_of(capacity);
  const bool kept = size_class < kClasses;
  if (kept && !unused_[size_class]) collect_returned();
  if (kept && unused_[size_class]) {
    Block::Header* header = std::exchange(unused_[size_class], unused_[size_class]->next);
    unused_bytes_ -= header->capacity;
    fewest_unused_bytes_ = std::min(fewest_unused_bytes_, unused_bytes_);
    header->size = 0;
    header->owners.store(1, std::memory_order_relaxed);
    return Block{header};
  }
  const std::size_t rounded = kept ? kSmallest << size_class : capacity;
  void* memory = ::operator new(sizeof(Block::Header) + rounded);
  return Block{new (memory) Block::Header{.pool = this,
                                          .next = nullptr,
                                          .capacity = rounded,
                                          .size = 0,
                                          .size_class = size_class,
                                          .owners = 1}};
}

void BlockPool::give_back(Block::Header* header) noexcept {
  if (header->size_class >= kClasses) {
    ::operator delete(header);
    return;
  }
  if (owner_.load(std::memory_order_relaxed) == std::this_thread::get_id()) return keep(header);
  header->next = returned_.load(std::memory_order_relaxed);
  while (!returned_.compare_exchange_weak(header->next, header, std::memory_order_release,
                                          std::memory_order_relaxed)) {
  }
}

std::size_t BlockPool::trim() noexcept {
  collect_returned();
  std::size_t to_free = fewest_unused_bytes_;
  for (std::size_t size_class = kClasses; size_class-- > 0;) {
    Block::Header*& unused = unused_[size_class];
    while (unused && unused->capacity <= to_free) {
      to_free -= unused->capacity;
      unused_bytes_ -= unused->capacity;
      release_pages(reinterpret_cast<char*>(unused + 1), unused->capacity);
      ::operator delete(std::exchange(unused, unused->next));
    }
  }
  fewest_unused_bytes_ = unused_bytes_;
  return unused_bytes_;
}

void BlockPool::keep(Block::Header* header) noexcept {
  if (unused_bytes_ + header->capacity > keep_bytes_) {
    ::operator delete(header);
    return;
  }
  unused_bytes_ += header->capacity;
  header->next = std::exchange(unused_[header->size_class], header);
}

// The whole stack is taken at once, so no other thread can see a node twice.
void BlockPool::collect_returned() noexcept {
  Block::Header* header = returned_.exchange(nullptr, std::memory_order_acquire);
  while (header) keep(std::exchange(header, header->next));
}

}  // namespace understudy::metrics
