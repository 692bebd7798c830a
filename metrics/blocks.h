#pragma once
// Recycled memory for bytes that cross threads: request bodies and captured answers.
//
// A BlockPool belongs to one thread, the first that calls take(). Blocks may be copied, read and
// dropped on any thread; the last owner gives the memory back to the pool it came from without a
// lock. Allocating in one thread and freeing in another is what this avoids: it doubled the cost of
// a mirrored request. The block that the owner gave back last is the next one taken, while it is in
// the cache. The pool must outlive its blocks.
//
// Blocks from 4 KiB on have pages of their own, away from the allocator's: small objects that stay
// (an idle connection's) do not end up each on a page between two blocks that went. Pages go back
// to the system, the addresses are kept for later blocks.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace understudy::metrics {

class BlockPool;

// A shared handle to a piece of memory; empty by default. Writing is for whoever filled it first,
// before it is shared.
class Block {
 public:
  Block() = default;
  Block(const Block& other) noexcept : header_(other.header_) { retain(); }
  Block(Block&& other) noexcept : header_(std::exchange(other.header_, nullptr)) {}
  Block& operator=(Block other) noexcept {
    std::swap(header_, other.header_);
    return *this;
  }
  ~Block() { release(); }

  explicit operator bool() const noexcept { return header_ != nullptr; }
  char* data() const noexcept;
  std::size_t capacity() const noexcept;
  std::size_t size() const noexcept;         // bytes in use
  void set_size(std::size_t size) noexcept;  // at most capacity()
  std::string_view view() const noexcept {
    return header_ ? std::string_view{data(), size()} : std::string_view{};
  }

 private:
  friend class BlockPool;
  struct Header;
  explicit Block(Header* header) noexcept : header_(header) {}
  void retain() const noexcept;
  void release() noexcept;
  Header* header_ = nullptr;
};

class BlockPool {
 public:
  // Keeps at most `keep_bytes` of unused memory; what comes back beyond that is freed.
  explicit BlockPool(std::size_t keep_bytes = std::size_t{8} << 20) noexcept
      : keep_bytes_(keep_bytes) {}
  ~BlockPool();
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  // A block of at least that capacity with size 0. Owner thread only. Throws std::bad_alloc.
  Block take(std::size_t capacity);

  // Gives back to the system what has been unused ever since the last call, and says how many
  // unused bytes are left. Owner thread only.
  std::size_t trim() noexcept;

 private:
  friend class Block;
  static constexpr std::size_t kClasses = 10;  // 2 KiB, 4 KiB .. 1 MiB; larger ones are not kept
  void give_back(Block::Header* header) noexcept;
  void keep(Block::Header* header) noexcept;
  void collect_returned() noexcept;
  static std::size_t mapped_size(std::size_t size_class) noexcept;
  void* new_memory(std::size_t size_class);
  void* new_pages(std::size_t size_class);
  void free_memory(Block::Header* header) noexcept;

  const std::size_t keep_bytes_;
  std::atomic<std::thread::id> owner_{};
  // Owner thread:
  std::array<Block::Header*, kClasses> unused_{};
  std::size_t unused_bytes_ = 0;
  std::size_t fewest_unused_bytes_ = 0;  // since the last trim()
  struct Mapped {
    std::size_t blocks = 0;            // that have addresses of their own
    std::vector<void*> without_pages;  // addresses that no block is at; has room for all of them
  };
  std::array<Mapped, kClasses> mapped_{};
  // Any thread:
  std::atomic<Block::Header*> returned_{nullptr};
};

}  // namespace understudy::metrics
