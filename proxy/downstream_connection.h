#pragma once
// A client's connection as its worker sees it, whatever protocol it speaks. Belongs to one io
// thread and is held by whoever runs it.

#include "proxy/task.h"

namespace understudy::proxy {

class DownstreamConnection {
 public:
  DownstreamConnection() = default;
  virtual ~DownstreamConnection() = default;
  DownstreamConnection(const DownstreamConnection&) = delete;
  DownstreamConnection& operator=(const DownstreamConnection&) = delete;

  // Serves it until it ends. The object must live until then.
  virtual Task<void> run() = 0;
  // Closes once no exchange runs: now, when it is idle.
  virtual void finish() noexcept = 0;
  // Closes now.
  virtual void cut() noexcept = 0;
};

}  // namespace understudy::proxy
