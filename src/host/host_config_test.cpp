#include "host/host_config.hpp"

#include <gtest/gtest.h>

#include "base/folder_fixture.hpp"

namespace shamon {
namespace {

constexpr char const* kHost =
    "[host]\nname = \"shype1\"\ncontrol = \"10.0.0.1:7000\"\ntunnel = \"10.0.0.1:4500\"\n"
    "[authority]\nendpoint = \"10.0.0.9:8443\"\nca = \"/etc/shamon/ca.pem\"\n";
constexpr char const* kVm =
    "[[vm]]\nname = \"web\"\nlabel = \"green\"\nimage = \"boinc\"\nkernel = \"k\"\ninitrd = \"i\"\n"
    "address = \"10.8.0.1\"\n";

class HostConfigFile : public FolderTest {
 protected:
  Result<HostConfig> read(std::string const& text) {
    return read_host_config(write("shamond.toml", text));
  }
};

TEST_F(HostConfigFile, says_what_it_leaves_out_by_the_defaults) {
  auto const config = read(std::string(kHost) + kVm);
  ASSERT_TRUE(config) << config.error().describe();
  EXPECT_EQ(config->name, HostName("shype1"));
  EXPECT_EQ(config->state_folder, "/var/lib/shamon");
  EXPECT_EQ(config->socket_folder, "/run/shamon");
  EXPECT_EQ(config->demand, "both");
  EXPECT_EQ(config->ciphers, every_aead_algorithm());
  EXPECT_EQ(config->ima_log_path, "");
  ASSERT_EQ(config->vms.size(), 1u);
  EXPECT_EQ(config->vms[0].kind, "qemu");
  EXPECT_EQ(config->vms[0].memory_mb, 192u);
  EXPECT_EQ(config->vms[0].processors, 1u);
  EXPECT_EQ(config->vms[0].prefix_length, 16);
  EXPECT_EQ(config->vms[0].state_folder, "/var/lib/shamon/vm/web");
}

TEST_F(HostConfigFile, a_label_may_have_the_name_an_import_gave_it) {
  auto const config = read(std::string(kHost) +
                           "[[vm]]\nname = \"w\"\nlabel = \"A-Bank \\\"DMZ\\\"\"\n"
                           "kind = \"domain\"\naddress = \"10.8.0.2\"\n");
  ASSERT_TRUE(config) << config.error().describe();
  EXPECT_EQ(config->vms.at(0).label.value(), "A-Bank \"DMZ\"");
}

TEST_F(HostConfigFile, each_mistake_is_named_with_its_line_and_key) {
  struct Case {
    char const* name;
    std::string text;
    std::vector<char const*> says;
  };
  std::string const host = kHost, vm = kVm;
  Case const cases[] = {
      {"nothing", "", {"name", "control", "tunnel", "endpoint", "ca"}},
      {"no TOML", "[host\n", {":1:"}},
      {"a misspelt key", "[host]\nnam = \"x\"\n" + host.substr(7), {"nam"}},
      {"a name with a blank",
       "[host]\nname = \"a b\"\n" + host.substr(host.find("control")),
       {":2:", "not a valid name"}},
      {"no port",
       "[host]\nname = \"x\"\ncontrol = \"10.0.0.1\"\n" + host.substr(host.find("tunnel")),
       {":3:", "ADDRESS:PORT"}},
      {"a demand nobody knows", "[host]\ndemand = \"some\"\n" + host.substr(7), {":2:", "demand"}},
      {"a cipher nobody knows",
       "[host]\nesp_ciphers = [\"ENCR_NULL\"]\n" + host.substr(7),
       {":2:", "esp_ciphers", "'ENCR_NULL' is none of"}},
      {"no cipher", "[host]\nesp_ciphers = []\n" + host.substr(7), {":2:", "at least one"}},
      {"a kind nobody drives", host + vm + "kind = \"xen\"\n", {":15:", "qemu or domain"}},
      {"an address of six parts",
       host + "[[vm]]\nname = \"w\"\nlabel = \"g\"\nkind = \"domain\"\n"
              "address = \"10.8.0.0.0.1\"\n",
       {":12:", "IPv4"}},
      {"the address of the services",
       host + "[[vm]]\nname = \"w\"\nlabel = \"g\"\nkind = \"domain\"\n"
              "address = \"169.254.53.1\"\n",
       {":12:", "services"}},
      {"a MAC of five bytes", host + vm + "mac = \"02:00:00:00:01\"\n", {":15:", "aa:bb"}},
      {"too little memory", host + vm + "memory_mb = 95\n", {":15:", "memory_mb", "96"}},
      {"too much memory", host + vm + "memory_mb = 65537\n", {":15:", "memory_mb"}},
      {"negative memory", host + vm + "memory_mb = -1\n", {":15:", "memory_mb"}},
      {"a card nobody makes", host + vm + "nic = \"e1000\"\n", {":15:", "vhost-user"}},
      {"a domain's card",
       host + "[[vm]]\nname = \"w\"\nlabel = \"g\"\nkind = \"domain\"\n"
              "address = \"10.8.0.1\"\nnic = \"vhost-user\"\n",
       {":13:", "nic"}},
      {"rings of a socket", host + vm + "packed_ring = true\n", {":15:", "packed_ring"}},
      {"queues of a socket", host + vm + "queues = 2\n", {":15:", "queues", "vhost-user"}},
      {"no queue", host + vm + "nic = \"vhost-user\"\nqueues = 0\n", {":16:", "from 1 to 16"}},
      {"too many queues",
       host + vm + "nic = \"vhost-user\"\nqueues = 17\n",
       {":16:", "queues", "from 1 to 16"}},
      {"queues in words",
       host + vm + "nic = \"vhost-user\"\nqueues = \"two\"\n",
       {":16:", "queues"}},
      {"no processor", host + vm + "processors = 0\n", {":15:", "processors", "from 1 to 16"}},
      {"too many processors", host + vm + "processors = 17\n", {":15:", "from 1 to 16"}},
      {"a prefix of 33 bits", host + vm + "prefix_length = 33\n", {":15:", "prefix_length"}},
      {"two VMs of one name", host + vm + vm, {"web", "twice"}},
      {"two VMs of one address",
       host + vm +
           "[[vm]]\nname = \"x\"\nlabel = \"g\"\n"
           "kind = \"domain\"\naddress = \"10.8.0.1\"\n",
       {"10.8.0.1"}}};
  for (auto const& c : cases) {
    auto const config = read(c.text);
    ASSERT_FALSE(config) << c.name;
    for (auto const* part : c.says) {
      EXPECT_NE(config.error().message.find(part), std::string::npos)
          << c.name << ": " << config.error().message;
    }
  }
}

TEST_F(HostConfigFile, the_network_card_may_be_the_gates_own) {
  auto const config = read(std::string(kHost) + kVm + "nic = \"vhost-user\"\npacked_ring = true\n");
  ASSERT_TRUE(config) << config.error().describe();
  EXPECT_EQ(config->vms.at(0).nic, Nic::vhost_user);
  EXPECT_TRUE(config->vms.at(0).packed_ring);
  EXPECT_EQ(config->vms.at(0).queues, std::nullopt) << "the gate's workers decide";
  EXPECT_EQ(read(std::string(kHost) + kVm)->vms.at(0).nic, Nic::socket);
  auto const wide =
      read(std::string(kHost) + kVm + "nic = \"vhost-user\"\nprocessors = 4\nqueues = 2\n");
  ASSERT_TRUE(wide) << wide.error().describe();
  EXPECT_EQ(wide->vms.at(0).processors, 4u);
  EXPECT_EQ(wide->vms.at(0).queues, 2u);
}

TEST_F(HostConfigFile, bounds_themselves_are_allowed) {
  for (char const* line :
       {"memory_mb = 96\n", "memory_mb = 65536\n", "prefix_length = 32\n", "prefix_length = 1\n",
        "processors = 16\n", "nic = \"vhost-user\"\nqueues = 16\n"}) {
    auto const config = read(std::string(kHost) + kVm + line);
    EXPECT_TRUE(config) << line << config.error().message;
  }
}

}  // namespace
}  // namespace shamon
