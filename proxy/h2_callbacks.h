#pragma once
// The session's side that nghttp2 calls, and how nghttp2 is set up. A part of H2Session, which
// alone includes it. The callbacks note what happened and throw nothing.

#include <nghttp2/nghttp2.h>

#include "proxy/h2_session.h"

namespace understudy::proxy {

struct H2Session::Callbacks {
  // Throws std::bad_alloc.
  static nghttp2_session* make_session(H2Session& session, const routing::Http2Limits& limits);

  // How much of a stream's answer goes into the next DATA frame; send_data() then delivers it.
  static ssize_t read_answer(nghttp2_session*, std::int32_t, std::uint8_t*, std::size_t room,
                             std::uint32_t* flags, nghttp2_data_source* source, void*);

 private:
  static H2Session& self(void* user) noexcept { return *static_cast<H2Session*>(user); }
  static const nghttp2_session_callbacks* all();

  // As nghttp2 wants them.
  static int begin_frame(nghttp2_session*, const nghttp2_frame_hd*, void*);
  static int begin_headers(nghttp2_session*, const nghttp2_frame*, void*);
  static int header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t* name,
                    std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                    std::uint8_t, void*);
  static int invalid_header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t*,
                            std::size_t, const std::uint8_t*, std::size_t, std::uint8_t, void*);
  static int frame_received(nghttp2_session*, const nghttp2_frame*, void*);
  static int data(nghttp2_session*, std::uint8_t, std::int32_t stream, const std::uint8_t* bytes,
                  std::size_t size, void*);
  static int invalid_frame(nghttp2_session*, const nghttp2_frame*, int, void*);
  static int unpack_extension(nghttp2_session*, void**, const nghttp2_frame_hd*, void*);
  static int extension_chunk(nghttp2_session*, const nghttp2_frame_hd*, const std::uint8_t*,
                             std::size_t, void*);
  static int stream_closed(nghttp2_session*, std::int32_t stream, std::uint32_t, void*);
  static int send_data(nghttp2_session*, nghttp2_frame*, const std::uint8_t* head, std::size_t size,
                       nghttp2_data_source*, void*);
  static int frame_sent(nghttp2_session*, const nghttp2_frame*, void*);
  static int frame_not_sent(nghttp2_session*, const nghttp2_frame*, int, void*);
};

}  // namespace understudy::proxy
