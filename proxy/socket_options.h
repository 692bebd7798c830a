#pragma once
// What every connection of ours is set to, a client's as well as an upstream's.

namespace understudy::proxy {

// Small pieces go at once, and a peer that vanished is found out where nobody writes: first asked
// after 60 s of silence, given up two minutes after its last sign of life. The kernel would ask
// after two hours; NATs and load balancers forget a silent connection after 350 s. What cannot be
// set is left: the connection works without.
void set_connection_options(int socket) noexcept;

}  // namespace understudy::proxy
