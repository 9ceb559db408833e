#include "daemon/uplink/protocol.h"

#include <algorithm>
#include <utility>

#include "pipelines/base/bytes.h"

namespace runnel {
namespace {

enum class Message : std::uint8_t { kSettings = 1, kTask = 2, kGo = 3 };

constexpr std::size_t kSettingsFds = 3;
constexpr std::size_t kTaskFds = 4;

void WriteText(ByteWriter& writer, const std::optional<std::string>& text) {
  writer.U8(text.has_value() ? 1 : 0);
  writer.String(text.value_or(""));
}

std::optional<std::string> ReadText(ByteReader& reader) {
  const bool there = reader.U8() != 0;
  std::string text(reader.String());
  return there ? std::optional(std::move(text)) : std::nullopt;
}

void WriteOptions(ByteWriter& writer, const MqttOptions& options) {
  writer.Varint(options.urls.size());
  for (const std::string& url : options.urls) writer.String(url);
  writer.String(options.client_id);
  WriteText(writer, options.user);
  WriteText(writer, options.password);
  writer.String(options.tls.ca);
  writer.String(options.tls.cert);
  writer.String(options.tls.key);
  writer.String(options.tls.key_password);
  writer.U8(options.tls.verification == TlsVerification::kFull ? 1 : 0);
  writer.U8(options.version == MqttVersion::k5 ? 1 : 0);
  writer.U8(static_cast<std::uint8_t>(options.session));
  writer.Signed(options.session_expiry.count());
  writer.U32(options.receive_maximum);
  writer.Signed(options.keep_alive.count());
  writer.Signed(options.connect_timeout.count());
  writer.U8(options.status.has_value() ? 1 : 0);
  const MqttStatusTopic status = options.status.value_or(MqttStatusTopic{});
  writer.String(status.topic);
  writer.String(status.birth);
  writer.String(status.will);
}

MqttOptions ReadOptions(ByteReader& reader) {
  MqttOptions options;
  for (std::uint64_t i = reader.Varint(); i > 0 && reader.ok(); --i) {
    options.urls.emplace_back(reader.String());
  }
  options.client_id = reader.String();
  options.user = ReadText(reader);
  options.password = ReadText(reader);
  options.tls.ca = reader.String();
  options.tls.cert = reader.String();
  options.tls.key = reader.String();
  options.tls.key_password = reader.String();
  options.tls.verification = reader.U8() != 0 ? TlsVerification::kFull : TlsVerification::kNone;
  options.version = reader.U8() != 0 ? MqttVersion::k5 : MqttVersion::k311;
  options.session = static_cast<MqttSession>(std::min<int>(reader.U8(), 2));
  options.session_expiry = std::chrono::seconds(reader.Signed());
  options.receive_maximum = static_cast<std::uint16_t>(reader.U32());
  options.keep_alive = std::chrono::seconds(reader.Signed());
  options.connect_timeout = std::chrono::seconds(reader.Signed());
  const bool has_status = reader.U8() != 0;
  MqttStatusTopic status;
  status.topic = reader.String();
  status.birth = reader.String();
  status.will = reader.String();
  if (has_status) options.status = std::move(status);
  return options;
}

void ReadSettings(ByteReader& reader, UplinkSettings& settings) {
  for (std::uint64_t i = reader.Varint(); i > 0 && reader.ok(); --i) {
    UplinkBroker broker;
    broker.name = reader.String();
    broker.options = ReadOptions(reader);
    broker.window = reader.U32();
    settings.brokers.push_back(std::move(broker));
  }
  for (std::uint64_t i = reader.Varint(); i > 0 && reader.ok(); --i) {
    std::vector<UplinkSink> sinks;
    for (std::uint64_t k = reader.Varint(); k > 0 && reader.ok(); --k) {
      UplinkSink sink;
      sink.tag = reader.U64();
      sink.broker = reader.U32();
      sink.qos = reader.U8();
      sink.retain = reader.U8() != 0;
      sinks.push_back(sink);
    }
    settings.pipelines.push_back(std::move(sinks));
  }
  settings.state = reader.String();
  settings.dead_letters_max = reader.U64();
}

void ReadTask(ByteReader& reader, ChannelMessage& message, UplinkAssignment& assignment) {
  UplinkAssignment::OneTask task;
  task.id.pipeline = reader.String();
  task.id.generation = reader.U32();
  task.id.stage = reader.U32();
  task.id.partition = reader.U32();
  task.pipeline = reader.Varint();
  task.work = std::move(message.fds[0]);
  task.settle = std::move(message.fds[1]);
  task.bell = Doorbell(std::move(message.fds[2]), std::move(message.fds[3]));
  assignment.tasks.push_back(std::move(task));
}

}  // namespace

Status SendUplinkSettings(Channel& channel, const UplinkSettings& settings, int page,
                          const Doorbell& bell) {
  ByteWriter writer;
  writer.U8(static_cast<std::uint8_t>(Message::kSettings));
  writer.Varint(settings.brokers.size());
  for (const UplinkBroker& broker : settings.brokers) {
    writer.String(broker.name);
    WriteOptions(writer, broker.options);
    writer.U32(broker.window);
  }
  writer.Varint(settings.pipelines.size());
  for (const std::vector<UplinkSink>& sinks : settings.pipelines) {
    writer.Varint(sinks.size());
    for (const UplinkSink& sink : sinks) {
      writer.U64(sink.tag);
      writer.U32(sink.broker);
      writer.U8(static_cast<std::uint8_t>(sink.qos));
      writer.U8(sink.retain ? 1 : 0);
    }
  }
  writer.String(settings.state);
  writer.U64(settings.dead_letters_max);
  return channel.Send(writer.bytes(), {page, bell.fds()[0], bell.fds()[1]});
}

Status SendUplinkTask(Channel& channel, const TaskId& id, std::size_t pipeline, int work,
                      int settle, const Doorbell& bell) {
  ByteWriter writer;
  writer.U8(static_cast<std::uint8_t>(Message::kTask));
  writer.String(id.pipeline);
  writer.U32(id.generation);
  writer.U32(id.stage);
  writer.U32(id.partition);
  writer.Varint(pipeline);
  return channel.Send(writer.bytes(), {work, settle, bell.fds()[0], bell.fds()[1]});
}

Status SendUplinkGo(Channel& channel) {
  const char go = static_cast<char>(Message::kGo);
  return channel.Send({&go, 1}, {});
}

Result<UplinkAssignment> ReceiveUplinkAssignment(Channel& channel) {
  UplinkAssignment assignment;
  for (;;) {
    Result<ChannelMessage> message = channel.Receive();
    if (!message.ok()) return message.error();
    ByteReader reader(message.value().bytes);
    const auto kind = static_cast<Message>(reader.U8());
    std::vector<Fd>& fds = message.value().fds;
    if (kind == Message::kGo) return assignment;
    if (kind == Message::kSettings && fds.size() == kSettingsFds) {
      ReadSettings(reader, assignment.settings);
      assignment.page = std::move(fds[0]);
      assignment.bell = Doorbell(std::move(fds[1]), std::move(fds[2]));
    } else if (kind == Message::kTask && fds.size() == kTaskFds) {
      ReadTask(reader, message.value(), assignment);
    } else {
      return Error{ErrorKind::kGiveUp, "a message that is not of the daemon's protocol"};
    }
    if (!reader.ok()) return Error{ErrorKind::kGiveUp, "a message of the daemon is cut off"};
  }
}

}  // namespace runnel
