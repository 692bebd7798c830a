#include "metrics/blocks.h"

#include <sanitizer/asan_interface.h>  // nothing, but in a build with that sanitizer
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

constexpr std::size_t capacity_of(std::size_t size_class) noexcept {
  return kSmallest << size_class;
}

constexpr bool has_own_pages(std::size_t size_class) noexcept {
  return size_class > 0;
}

std::size_t in_whole_pages(std::size_t size) noexcept {
  static const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return (size + page - 1) / page * page;
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
  for (std::size_t size_class = 0; size_class < kClasses; ++size_class) {
    Block::Header* header = unused_[size_class];
    while (header) free_memory(std::exchange(header, header->next));
    for (void* pages : mapped_[size_class].without_pages) {
      ASAN_UNPOISON_MEMORY_REGION(pages, mapped_size(size_class));
      munmap(pages, mapped_size(size_class));
    }
  }
}

std::size_t BlockPool::mapped_size(std::size_t size_class) noexcept {
  return in_whole_pages(sizeof(Block::Header) + capacity_of(size_class));
}

void* BlockPool::new_memory(std::size_t size_class) {
  return has_own_pages(size_class)
             ? new_pages(size_class)
             : ::operator new(sizeof(Block::Header) + capacity_of(size_class));
}

// Makes room first for the address that free_memory() will note, which must not fail.
void* BlockPool::new_pages(std::size_t size_class) {
  auto& [blocks, without_pages] = mapped_[size_class];
  if (!without_pages.empty()) {
    void* const pages = without_pages.back();
    without_pages.pop_back();
    ASAN_UNPOISON_MEMORY_REGION(pages, sizeof(Block::Header) + capacity_of(size_class));
    return pages;
  }
  if (without_pages.capacity() == blocks) without_pages.reserve(2 * blocks + 8);
  const std::size_t size = mapped_size(size_class);
  void* const pages =
      mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) throw std::bad_alloc();
  ++blocks;
  // No allocator guards what lies behind.
  const std::size_t used = sizeof(Block::Header) + capacity_of(size_class);
  ASAN_POISON_MEMORY_REGION(static_cast<char*>(pages) + used, size - used);
  return pages;
}

void BlockPool::free_memory(Block::Header* header) noexcept {
  const std::size_t size_class = header->size_class;
  if (!has_own_pages(size_class)) return ::operator delete(header);
  madvise(header, mapped_size(size_class), MADV_DONTNEED);
  ASAN_POISON_MEMORY_REGION(header, mapped_size(size_class));
  mapped_[size_class].without_pages.push_back(header);
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
    ASAN_UNPOISON_MEMORY_REGION(header + 1, header->capacity);
    header->size = 0;
    header->owners.store(1, std::memory_order_relaxed);
    return Block{header};
  }
  void* const memory =
      kept ? new_memory(size_class) : ::operator new(sizeof(Block::Header) + capacity);
  return Block{new (memory) Block::Header{.pool = this,
                                          .next = nullptr,
                                          .capacity = kept ? capacity_of(size_class) : capacity,
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
      free_memory(std::exchange(unused, unused->next));
    }
  }
  fewest_unused_bytes_ = unused_bytes_;
  return unused_bytes_;
}

void BlockPool::keep(Block::Header* header) noexcept {
  if (unused_bytes_ + header->capacity > keep_bytes_) return free_memory(header);
  unused_bytes_ += header->capacity;
  ASAN_POISON_MEMORY_REGION(header + 1, header->capacity);  // until it is taken again
  header->next = std::exchange(unused_[header->size_class], header);
}

// The whole stack is taken at once, so no other thread can see a node twice.
void BlockPool::collect_returned() noexcept {
  Block::Header* header = returned_.exchange(nullptr, std::memory_order_acquire);
  while (header) keep(std::exchange(header, header->next));
}

}  // namespace understudy::metrics
