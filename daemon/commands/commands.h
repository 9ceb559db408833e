// The commands of `runnel`: each gives the exit code.
#pragma once

#include "daemon/commands/command_line.h"

namespace runnel {

int RunCommand(const CommandLine& line);
int CheckCommand(const CommandLine& line);
int BatchCommand(const CommandLine& line);
int ExplainCommand(const CommandLine& line);
int TestCommand(const CommandLine& line);
int TryCommand(const CommandLine& line);
int ListCommand(const CommandLine& line);
int DescribeCommand(const CommandLine& line);
int SchemaCommand(const CommandLine& line);
int ReferenceCommand(const CommandLine& line);
int StatusCommand(const CommandLine& line);

}  // namespace runnel
