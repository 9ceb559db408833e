// What brokers refuse, and how it is told: logins, filters, certificates, takeovers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "pipelines/base/check.h"
#include "tests/support/mosquitto.h"
#include "tests/support/mqtt_harness.h"

namespace runnel {
namespace {

using namespace runnel::testing;

void Run(const std::string& command) {
  CHECK(std::system(("{ " + command + "; } >/dev/null 2>&1").c_str()) == 0);
}

// A folder with a password file for `anna`, whose password is `secret`.
class Passwords final {
 public:
  Passwords() { Run("mosquitto_passwd -b -c " + file() + " anna secret"); }
  std::string file() const { return folder_.path() + "/passwords"; }

 private:
  TemporaryFolder folder_;
};

TEST(Refusal, ALoginIsToldWithTheBrokersReason) {
  Passwords passwords;
  Mosquitto broker(
      {.config = "allow_anonymous false\npassword_file " + passwords.file(), .listener = ""});
  const struct {
    MqttVersion version;
    std::optional<std::string> user, password;
    std::string reason;
  } cases[] = {
      {MqttVersion::k5, "anna", "wrong", "not authorized (0x87)"},
      {MqttVersion::k5, std::nullopt, std::nullopt, "not authorized (0x87)"},
      {MqttVersion::k311, "anna", "wrong", "not authorized (0x05)"},
      {MqttVersion::k5, "anna", "secret", ""},
      {MqttVersion::k311, "anna", "secret", ""},
  };
  for (const auto& test : cases) {
    MqttOptions options = TestOptions(broker.url(), "client", test.version);
    options.user = test.user;
    options.password = test.password;
    MqttHarness client(options);
    client.Start();
    if (test.reason.empty()) {
      client.WaitFor<MqttConnected>();
      continue;
    }
    const MqttConnectFailed failed = client.WaitFor<MqttConnectFailed>();
    EXPECT_EQ(failed.error.message, "connecting to `" + broker.url() +
                                        "`: the broker refused the connection: " + test.reason);
    EXPECT_EQ(failed.error.kind, ErrorKind::kFix);
    // It goes on trying: somebody may repair the password file.
    client.WaitFor<MqttConnectFailed>(2);
  }
}

TEST(Refusal, AQosThatTheBrokerDoesNotHaveIsLowered) {
  Mosquitto broker({.config = "", .listener = "max_qos 1\n"});
  MqttHarness client(TestOptions(broker.url(), "client"));
  client.Start({Subscription("a", 2), Subscription("b", 1)});
  EXPECT_EQ(client.WaitFor<MqttConnected>().maximum_qos, 1);
  const MqttSubscribed subscribed = client.WaitFor<MqttSubscribed>();
  ASSERT_EQ(subscribed.results.size(), 2U);
  EXPECT_EQ(subscribed.results[0].qos, 1);
  MqttPublication publication;
  publication.topic = "a";
  publication.qos = 2;
  EXPECT_EQ(client.client().Publish(publication)->reason, "the broker takes at most QoS 1");
}

// Mosquitto 2.0.11 closes the old connection without a word, so this goes by the symptom.
TEST(Refusal, AnotherClientWithTheSameIdIsSuspected) {
  Mosquitto broker;
  MqttHarness first(TestOptions(broker.url(), "twin"));
  MqttHarness second(TestOptions(broker.url(), "twin"));
  first.Start();
  second.Start();
  const MqttConnectionLost lost = first.WaitFor<MqttConnectionLost>(3);
  EXPECT_EQ(lost.reason,
            "the broker or the network closed the connection, soon after the connect and again; "
            "maybe another client has the client id `twin`, too");
  EXPECT_GE(lost.retry_after, std::chrono::milliseconds(40));  // it backs off
}

// An authority, a broker with a certificate for 127.0.0.1 or for another host, a client.
class Certificates final {
 public:
  Certificates() {
    const std::string cd = "cd " + folder() + " && ";
    Run(cd +
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
        "-subj /CN=test-authority -keyout ca.key -out ca.pem");
    Run(cd +
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
        "-subj /CN=other-authority -keyout other.key -out other-ca.pem");
    Make("here", "subjectAltName=IP:127.0.0.1");
    Make("elsewhere", "subjectAltName=DNS:elsewhere.example");
    Make("client", "extendedKeyUsage=clientAuth");
  }
  const std::string& folder() const { return folder_.path(); }
  std::string operator()(const std::string& name) const { return folder() + "/" + name; }
  // Lines for a listener with this certificate.
  std::string Listener(const std::string& name, const std::string& more = "") const {
    return "cafile " + (*this)("ca.pem") + "\ncertfile " + (*this)(name + ".pem") + "\nkeyfile " +
           (*this)(name + ".key") + "\n" + more;
  }

 private:
  void Make(const std::string& name, const std::string& extension) {
    std::ofstream((*this)(name + ".ext")) << extension << "\n";
    Run("cd " + folder() +
        " && openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=" + name +
        " -keyout " + name + ".key -out " + name + ".csr && openssl x509 -req -days 2 -in " + name +
        ".csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile " + name + ".ext -out " + name +
        ".pem");
  }

  TemporaryFolder folder_;
};

class Tls : public ::testing::Test {
 protected:
  static MqttOptions Options(const Mosquitto& broker, const std::string& ca) {
    MqttOptions options = TestOptions("mqtts://127.0.0.1:" + std::to_string(broker.port()), "tls");
    options.tls.ca = ca;
    return options;
  }
  // The message of the first failure, without the address.
  static std::string Failure(const MqttOptions& options) {
    MqttHarness client(options);
    client.Start();
    const MqttConnectFailed failed = client.WaitFor<MqttConnectFailed>();
    EXPECT_EQ(failed.error.kind, ErrorKind::kFix) << failed.error.message;
    EXPECT_EQ(client.Count<MqttConnected>(), 0U);
    const std::string prefix = "connecting to `" + options.urls[0] + "`: ";
    EXPECT_TRUE(failed.error.message.starts_with(prefix)) << failed.error.message;
    return failed.error.message.substr(std::min(prefix.size(), failed.error.message.size()));
  }

  Certificates certificates_;
};

TEST_F(Tls, AnAuthorityOfOnesOwnIsEnough) {
  Mosquitto broker({.config = "", .listener = certificates_.Listener("here")});
  MqttHarness client(Options(broker, certificates_("ca.pem")));
  client.Start({Subscription("a")});
  client.WaitFor<MqttSubscribed>();
  client.Publish("a", std::string(100'000, 'x'), 1);
  client.WaitForMessages(1);
}

TEST_F(Tls, AnUnknownAuthorityIsRefused) {
  Mosquitto broker({.config = "", .listener = certificates_.Listener("here")});
  for (const std::string& ca : {certificates_("other-ca.pem"), std::string()}) {
    EXPECT_EQ(Failure(Options(broker, ca)),
              "the broker's certificate is not accepted: self-signed certificate in certificate "
              "chain");
  }
}

TEST_F(Tls, ACertificateOfAnotherHostIsRefused) {
  Mosquitto broker({.config = "", .listener = certificates_.Listener("elsewhere")});
  EXPECT_EQ(Failure(Options(broker, certificates_("ca.pem"))),
            "the broker's certificate is not accepted: IP address mismatch");
  MqttOptions careless = Options(broker, certificates_("ca.pem"));
  careless.tls.verification = TlsVerification::kNone;
  MqttHarness client(careless);
  client.Start();
  client.WaitFor<MqttConnected>();
}

TEST_F(Tls, AClientCertificateIsUsedAndItsAbsenceNamed) {
  Mosquitto broker(
      {.config = "", .listener = certificates_.Listener("here", "require_certificate true\n")});
  MqttOptions options = Options(broker, certificates_("ca.pem"));
  const std::string without = Failure(options);
  EXPECT_TRUE(without.starts_with("the broker ended the TLS session: ") &&
              without.find("certificate required") != std::string::npos)
      << without;
  options.tls.cert = certificates_("client.pem");
  options.tls.key = certificates_("client.key");
  MqttHarness client(options);
  client.Start();
  client.WaitFor<MqttConnected>();
}

TEST_F(Tls, FilesThatCannotBeUsedAreNamed) {
  Mosquitto broker({.config = "", .listener = certificates_.Listener("here")});
  EXPECT_TRUE(Failure(Options(broker, "/nowhere/ca.pem"))
                  .starts_with("the authorities in `/nowhere/ca.pem` cannot be used: "));
  MqttOptions options = Options(broker, certificates_("ca.pem"));
  options.tls.cert = certificates_("client.pem");
  options.tls.key = certificates_("here.key");
  EXPECT_TRUE(Failure(options).starts_with("the private key in `"));
}

TEST_F(Tls, ABrokerWithoutTlsIsToldApart) {
  Mosquitto broker;
  const std::string failure = Failure(Options(broker, certificates_("ca.pem")));
  EXPECT_TRUE(failure.starts_with("the TLS handshake failed: ")) << failure;
}

TEST(Refusal, ANameWithoutAnAddressIsNamed) {
  MqttHarness client(TestOptions("mqtt://no-such-host.invalid", "client"));
  client.Start();
  const std::string message = client.WaitFor<MqttConnectFailed>().error.message;
  EXPECT_TRUE(
      message.starts_with("connecting to `mqtt://no-such-host.invalid`: the host name "
                          "`no-such-host.invalid` has no address: "))
      << message;
}

TEST(Refusal, TheNextAddressIsTried) {
  Mosquitto broker;
  MqttOptions options = TestOptions("mqtt://127.0.0.1:1", "client");
  options.urls.push_back(broker.url());
  MqttHarness client(options);
  client.Start();
  EXPECT_EQ(client.WaitFor<MqttConnected>().url, broker.url());
}

}  // namespace
}  // namespace runnel
