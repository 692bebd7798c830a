#pragma once
// What an HTTP/2 connection sends in one write: frames in their order. The parts of bodies in them
// are not copied: they must live until the write is over. One thread.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace understudy::proxy {

class H2Output {
 public:
  static constexpr std::size_t kEnough = 256u << 10;

  bool empty() const noexcept { return bytes_ == 0; }
  bool full() const noexcept { return bytes_ >= kEnough || pieces_.size() >= kMaxPieces; }
  void copy(std::string_view bytes);
  void refer(std::string_view bytes);
  void touch(std::int32_t stream);
  // Empty again; keeps its memory for the next write.
  void clear() noexcept;

  // In their order.
  template <typename Visit>
  void for_each_piece(Visit visit) const {
    for (const Piece& piece : pieces_)
      visit(piece.data ? piece.data : frames_.data() + piece.offset, piece.size);
  }
  // Whose answers are in it, or were found to have ended.
  const std::vector<std::int32_t>& streams() const noexcept { return streams_; }

 private:
  static constexpr std::size_t kMaxPieces = 60;  // Asio hands the kernel 64 at once
  struct Piece {
    const char* data;  // null: in frames_
    std::size_t offset, size;
  };
  std::string frames_;
  std::vector<Piece> pieces_;
  std::vector<std::int32_t> streams_;
  std::size_t bytes_ = 0;
};

}  // namespace understudy::proxy
