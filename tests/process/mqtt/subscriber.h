// The child of the kill tests: a subscriber that notes each message in a file.
#pragma once

namespace runnel {

// Arguments: url, client id, `5` or `311`, QoS, inbound store (or empty), status topic (or
// empty), file. Writes a line `packet_id dup payload` per message, then acknowledges.
int RunSubscriber(int argc, char** argv);

}  // namespace runnel
