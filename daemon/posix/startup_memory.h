// GiveBackStartupMemory: what starting took and running does not need.
//
// Reading a configuration and compiling plans touches most of the program, and its pages
// would stay in memory for as long as the process lives. Called once, when a process has
// started and before its loop: what it does from then on comes back from the page cache, a
// page fault for each 64 KiB that is used. Never fails: where the system does not let go
// of a page, it stays.
#pragma once

namespace runnel {

void GiveBackStartupMemory();

}  // namespace runnel
