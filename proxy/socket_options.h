#pragma once
// What every connection of ours is set to, a client's as well as an upstream's.

#include <chrono>

namespace understudy::proxy {

// Small pieces go at once, and a peer that vanished is found out where nobody writes: asked for a
// sign of life after `keep_alive` of silence and then every quarter of it, given up after about
// twice that. The kernel counts whole seconds, and by itself asks after two hours; NATs and load
// balancers forget a silent connection after 350 s. What cannot be set is left: the connection
// works without.
void set_connection_options(int socket, std::chrono::milliseconds keep_alive) noexcept;

}  // namespace understudy::proxy
