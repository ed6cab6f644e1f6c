#include "orchestrator/cccf/from_docker.h"

#include <algorithm>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "orchestrator/cccf/quantity.h"
#include "orchestrator/cccf/schema.h"
#include "orchestrator/cccf/variables.h"
#include "orchestrator/cccf/words.h"

namespace shoal {
namespace {

const JsonValue& none() {
  static const JsonValue kNone;
  return kNone;
}

/// A value inside objects; null where there is none.
const JsonValue& at(const JsonValue& object, std::string_view name) {
  const JsonValue* const value = object.find(name);
  return value == nullptr ? none() : *value;
}

std::string text_at(const JsonValue& object, std::string_view name) {
  const auto* const text = at(object, name).text();
  return text == nullptr ? std::string() : *text;
}

bool is_true(const JsonValue& object, std::string_view name) {
  const bool* const flag = at(object, name).boolean();
  return flag != nullptr && *flag;
}

/// The texts of a list; podman writes a text alone for a list of one.
std::vector<std::string> texts_at(const JsonValue& object, std::string_view name) {
  const JsonValue& value = at(object, name);
  std::vector<std::string> texts;
  if (value.text() != nullptr && !value.text()->empty()) texts.push_back(*value.text());
  if (value.array() == nullptr) return texts;
  for (const JsonValue& element : *value.array()) {
    if (element.text() != nullptr) texts.push_back(*element.text());
  }
  return texts;
}

const JsonValue::Object& fields_at(const JsonValue& object, std::string_view name) {
  static const JsonValue::Object kNoFields;
  const auto* const fields = at(object, name).object();
  return fields == nullptr ? kNoFields : *fields;
}

bool has(const std::vector<std::string>& texts, const std::string& text) {
  return std::find(texts.begin(), texts.end(), text) != texts.end();
}

/// One container's item, built up.
class Conversion {
 public:
  Conversion(const JsonValue& container, const JsonValue& image)
      : container_(container),
        config_(at(container, "Config")),
        host_(at(container, "HostConfig")),
        defaults_(at(image, "Config")) {}

  JsonValue run() {
    std::string name = text_at(container_, "Name");
    if (name.starts_with('/')) name.erase(0, 1);
    item_.set("id", name);
    const std::string given = text_at(at(config_, "Labels"), "shoal.image");
    item_.set("image", given.empty() ? text_at(config_, "Image") : given);
    command();
    ports();
    environment();
    volumes();
    exposed();
    identity();
    labels();
    resources();
    network();
    rights();
    devices();
    life();
    log();
    health();
    return std::move(item_);
  }

 private:
  void set_text(std::string_view field, const std::string& text) {
    if (!text.empty()) item_.set(field, text);
  }
  void set_list(std::string_view field, const std::vector<std::string>& texts) {
    if (!texts.empty()) item_.set(field, JsonValue::Array(texts.begin(), texts.end()));
  }
  void set_true(std::string_view field, bool value) {
    if (value) item_.set(field, true);
  }
  /// A number that is neither missing nor 0.
  void set_number(std::string_view field, const JsonValue& value) {
    if (value.number() != nullptr && value.number()->text != "0") item_.set(field, value);
  }
  void copy_text(std::string_view field, const char* name) {
    if (text_at(config_, name) != text_at(defaults_, name)) set_text(field, text_at(config_, name));
  }

  void command() {
    const auto entrypoint = texts_at(config_, "Entrypoint");
    auto words = texts_at(config_, "Cmd");
    if (entrypoint == texts_at(defaults_, "Entrypoint")) {
      if (words == texts_at(defaults_, "Cmd")) words.clear();
    } else {
      // `--entrypoint` takes one word, and takes the image's command away.
      item_.set("entrypoint", entrypoint.empty() ? std::string() : entrypoint.front());
      if (entrypoint.size() > 1)
        words.insert(words.begin(), entrypoint.begin() + 1, entrypoint.end());
    }
    set_text("cmd", quote_words(words));
  }

  void ports() {
    std::vector<std::string> plain;
    std::vector<std::string> publish;
    for (const JsonField& binding : fields_at(host_, "PortBindings")) {
      const auto slash = std::min(binding.name.find('/'), binding.name.size());
      const std::string port = binding.name.substr(0, slash);
      published_.push_back(binding.name);
      std::string protocol = binding.name.substr(slash);
      if (protocol == "/tcp") protocol.clear();
      if (binding.value.array() == nullptr) continue;
      for (const JsonValue& one : *binding.value.array()) {
        const std::string address = text_at(one, "HostIp");
        const std::string outside = text_at(one, "HostPort");
        const bool any = address.empty() || address == "0.0.0.0" || address == "::";
        std::string mapping = port + protocol;
        if (!outside.empty() || !any) mapping = outside + ":" + mapping;
        if (!any && address.find(':') == address.npos) mapping = address + ":" + mapping;
        if (!any && address.find(':') != address.npos) mapping = "[" + address + "]:" + mapping;
        (is_cccf_port(mapping) ? plain : publish).push_back(mapping);
      }
    }
    set_list("ports", plain);
    set_list("publish", publish);
    set_true("publish-all", is_true(host_, "PublishAllPorts"));
  }

  void environment() {
    const auto given = texts_at(defaults_, "Env");
    std::vector<std::string> plain;
    std::vector<std::string> odd;
    for (const std::string& variable : texts_at(config_, "Env")) {
      // podman sets these itself.
      const bool engine = variable == "container=podman" || variable.starts_with("HOSTNAME=") ||
                          variable == "TERM=xterm";
      const bool is_podman = container_.find("OCIConfigPath") != nullptr;
      if (has(given, variable) || (engine && is_podman)) continue;
      (is_cccf_env(variable) ? plain : odd).push_back(variable);
    }
    set_list("env", plain);
    set_list("e", odd);
  }

  void volumes() {
    std::vector<std::string> plain;
    std::vector<std::string> odd;
    for (const std::string& bind : texts_at(host_, "Binds")) {
      (is_cccf_volume(bind) ? plain : odd).push_back(bind);
    }
    set_list("volumes", plain);
    set_list("v", odd);

    std::vector<std::string> mounts;
    const JsonValue& list = at(host_, "Mounts");
    static const JsonValue::Array kNoMounts;
    for (const JsonValue& mount : list.array() == nullptr ? kNoMounts : *list.array()) {
      const std::string source = text_at(mount, "Source");
      mounts.push_back(fmt::format("type={}{}{},target={}{}", text_at(mount, "Type"),
                                   source.empty() ? "" : ",source=", source,
                                   text_at(mount, "Target"),
                                   is_true(mount, "ReadOnly") ? ",readonly" : ""));
    }
    for (const JsonField& volume : fields_at(config_, "Volumes")) {
      if (at(defaults_, "Volumes").find(volume.name) != nullptr) continue;
      mounts.push_back("type=volume,target=" + volume.name);
    }
    set_list("mount", mounts);
    set_list("volumes-from", texts_at(host_, "VolumesFrom"));
    std::vector<std::string> tmpfs;
    for (const JsonField& one : fields_at(host_, "Tmpfs")) {
      const auto* const options = one.value.text();
      const bool plain_one = options == nullptr || options->empty();
      tmpfs.push_back(plain_one ? one.name : one.name + ":" + *options);
    }
    set_list("tmpfs", tmpfs);
  }

  void exposed() {
    std::vector<std::string> ports;
    for (const JsonField& port : fields_at(config_, "ExposedPorts")) {
      if (at(defaults_, "ExposedPorts").find(port.name) != nullptr) continue;
      if (has(published_, port.name)) continue;
      // cccf knows ports of TCP only, but a flag of Docker takes the others as well.
      ports.push_back(port.name.ends_with("/tcp") ? port.name.substr(0, port.name.size() - 4)
                                                  : port.name);
    }
    std::vector<std::string> plain;
    std::copy_if(ports.begin(), ports.end(), std::back_inserter(plain), is_cccf_expose);
    set_list("expose", plain);
  }

  void identity() {
    copy_text("user", "User");
    copy_text("workdir", "WorkingDir");
    const std::string mode = text_at(host_, "NetworkMode");
    const std::string hostname = text_at(config_, "Hostname");
    const bool shares = mode == "host" || mode.starts_with("container:");
    if (!shares && !text_at(container_, "Id").starts_with(hostname)) {
      set_text("hostname", hostname);
    }
    set_true("tty", is_true(config_, "Tty"));
    set_true("interactive", is_true(config_, "OpenStdin"));
  }

  void labels() {
    std::vector<std::string> labels;
    const JsonValue& given = at(defaults_, "Labels");
    for (const JsonField& label : fields_at(config_, "Labels")) {
      const JsonValue* const same = given.find(label.name);
      if (label.name.starts_with("shoal.")) continue;
      if (label.value.text() == nullptr || (same != nullptr && *same == label.value)) continue;
      labels.push_back(label.name + "=" + *label.value.text());
    }
    set_list("label", labels);
  }

  void resources() {
    set_number("memory", at(host_, "Memory"));
    set_number("memory-reservation", at(host_, "MemoryReservation"));
    const auto memory = at(host_, "Memory").whole().value_or(0);
    // Docker's default is twice the memory.
    if (at(host_, "MemorySwap").whole() != 2 * memory) {
      set_number("memory-swap", at(host_, "MemorySwap"));
    }
    set_number("cpu", at(host_, "CpuShares"));
    if (const auto nano = at(host_, "NanoCpus").whole(); nano && *nano > 0) {
      item_.set("cpus", JsonNumber{fmt::format("{}", static_cast<double>(*nano) / 1e9)});
    }
    set_text("cpuset-cpus", text_at(host_, "CpusetCpus"));
    const auto pids = at(host_, "PidsLimit").whole();
    if (pids && *pids != 0 && *pids != 2048) set_number("pids-limit", at(host_, "PidsLimit"));
    set_number("oom-score-adj", at(host_, "OomScoreAdj"));
    const auto shm = at(host_, "ShmSize").whole().value_or(0);
    // The defaults of Docker and podman.
    if (shm != 67'108'864 && shm != 65'536'000) set_number("shm-size", at(host_, "ShmSize"));
    set_text("cgroup-parent", text_at(host_, "CgroupParent"));
  }

  void network() {
    const std::string mode = text_at(host_, "NetworkMode");
    const auto is_default = {"", "default", "bridge", "slirp4netns"};
    if (std::find(is_default.begin(), is_default.end(), mode) == is_default.end()) {
      set_text("network", mode);
    }
    set_list("dns", texts_at(host_, "Dns"));
    set_list("dns-search", texts_at(host_, "DnsSearch"));
    set_list("dns-option", texts_at(host_, "DnsOptions"));
    set_list("add-host", texts_at(host_, "ExtraHosts"));
    std::vector<std::string> links;
    for (const std::string& link : texts_at(host_, "Links")) links.push_back(link_of(link));
    set_list("links", links);
  }

  /// `/db:/web/db` is what Docker makes of the link `db` of `web`.
  static std::string link_of(const std::string& text) {
    const auto colon = text.find(':');
    const std::string to = text.substr(text.starts_with('/') ? 1 : 0, colon - 1);
    const std::string alias = text.substr(text.rfind('/') + 1);
    return alias == to ? "$" + to : to + ":" + alias;
  }

  void rights() {
    const bool privileged = is_true(host_, "Privileged");
    set_true("privileged", privileged);
    set_true("read-only", is_true(host_, "ReadonlyRootfs"));
    set_list("cap-add", texts_at(host_, "CapAdd"));
    set_list("cap-drop", texts_at(host_, "CapDrop"));
    auto security = texts_at(host_, "SecurityOpt");
    if (privileged) std::erase(security, "label=disable");
    set_list("security-opt", security);
    set_list("group-add", texts_at(host_, "GroupAdd"));
    for (const auto& [field, name] : {std::pair("ipc", "IpcMode"),
                                      {"pid", "PidMode"},
                                      {"uts", "UTSMode"},
                                      {"userns", "UsernsMode"}}) {
      const std::string mode = text_at(host_, name);
      if (mode != "private" && mode != "shareable") set_text(field, mode);
    }
    std::vector<std::string> sysctls;
    for (const JsonField& one : fields_at(host_, "Sysctls")) {
      if (one.value.text() != nullptr) sysctls.push_back(one.name + "=" + *one.value.text());
    }
    set_list("sysctl", sysctls);
  }

  void devices() {
    static const JsonValue::Array kNothing;
    std::vector<std::string> devices;
    const auto* const list = at(host_, "Devices").array();
    for (const JsonValue& one : list == nullptr ? kNothing : *list) {
      devices.push_back(fmt::format("{}:{}:{}", text_at(one, "PathOnHost"),
                                    text_at(one, "PathInContainer"),
                                    text_at(one, "CgroupPermissions")));
    }
    set_list("device", devices);
    std::vector<std::string> limits;
    const auto* const ulimits = at(host_, "Ulimits").array();
    for (const JsonValue& one : ulimits == nullptr ? kNothing : *ulimits) {
      const auto* const soft = at(one, "Soft").number();
      const auto* const hard = at(one, "Hard").number();
      const std::string name = text_at(one, "Name");
      // podman lists its own defaults under these names.
      if (soft == nullptr || hard == nullptr || name.starts_with("RLIMIT_")) continue;
      limits.push_back(fmt::format("{}={}:{}", name, soft->text, hard->text));
    }
    set_list("ulimit", limits);
  }

  void life() {
    const JsonValue& policy = at(host_, "RestartPolicy");
    std::string restart = text_at(policy, "Name");
    const auto retries = at(policy, "MaximumRetryCount").whole().value_or(0);
    if (retries > 0) restart += fmt::format(":{}", retries);
    if (restart != "no") set_text("restart", restart);
    set_true("rm", is_true(host_, "AutoRemove"));
    set_true("init", is_true(host_, "Init"));
    if (text_at(config_, "StopSignal") != "SIGTERM") copy_text("stop-signal", "StopSignal");
    const JsonValue& timeout = at(config_, "StopTimeout");
    if (timeout.number() != nullptr && timeout.whole() != 10) item_.set("stop-timeout", timeout);
    const std::string runtime = text_at(host_, "Runtime");
    if (runtime != "runc" && runtime != "oci" && runtime != "crun") set_text("runtime", runtime);
  }

  void log() {
    const JsonValue& log = at(host_, "LogConfig");
    const std::string type = text_at(log, "Type");
    std::vector<std::string> options;
    for (const JsonField& one : fields_at(log, "Config")) {
      if (one.value.text() != nullptr) options.push_back(one.name + "=" + *one.value.text());
    }
    // json-file and k8s-file are what Docker and podman do unasked.
    if (type != "json-file" && type != "k8s-file") set_text("log-driver", type);
    set_list("log-opt", options);
  }

  void health() {
    const JsonValue& check = at(config_, "Healthcheck");
    if (check.object() == nullptr || check == at(defaults_, "Healthcheck")) return;
    const auto test = texts_at(check, "Test");
    if (!test.empty() && test.front() == "NONE") {
      item_.set("no-healthcheck", true);
      return;
    }
    if (!test.empty() && test.front() == "CMD-SHELL") set_text("health-cmd", test.back());
    const auto span = [&](std::string_view field, const char* name) {
      const auto nanoseconds = at(check, name).whole().value_or(0);
      if (nanoseconds > 0)
        item_.set(field, fmt::format("{}ms", (nanoseconds + 999'999) / 1'000'000));
    };
    span("health-interval", "Interval");
    span("health-timeout", "Timeout");
    span("health-start-period", "StartPeriod");
    set_number("health-retries", at(check, "Retries"));
  }

  const JsonValue& container_;
  const JsonValue& config_;
  const JsonValue& host_;
  const JsonValue& defaults_;
  JsonValue item_ = JsonValue::Object();
  std::vector<std::string> published_;  // `80/tcp`
};

/// Where the JSON value that begins at `from` ends. Only brackets and texts are looked at: the
/// parser says what is wrong inside.
std::size_t end_of_value(std::string_view text, std::size_t from) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = from; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      ++depth;
    } else if ((c == ']' || c == '}') && --depth <= 0) {
      return i + 1;
    }
  }
  return text.size();
}

Result<void> add_one(JsonValue value, DockerInspection& inspection) {
  if (at(value, "HostConfig").object() != nullptr && at(value, "Config").object() != nullptr) {
    inspection.containers.push_back(std::move(value));
    return {};
  }
  if (value.find("RootFS") != nullptr || value.find("RepoTags") != nullptr) {
    inspection.images.push_back(std::move(value));
    return {};
  }
  return fail(Errc::bad_request,
              "it is not what `docker inspect` says of a container or an image: neither HostConfig "
              "and Config nor RootFS are in it");
}

void escape_texts(JsonValue& value) {
  if (auto* const text = value.text()) *text = escape_variables(*text);
  if (auto* const array = value.array()) {
    for (JsonValue& element : *array) escape_texts(element);
  }
  if (auto* const fields = value.object()) {
    for (JsonField& field : *fields) escape_texts(field.value);
  }
}

}  // namespace

Result<void> add_inspection(std::string_view text, DockerInspection& inspection) {
  for (std::size_t from = text.find_first_not_of(" \t\r\n"); from < text.size();) {
    const std::size_t end = end_of_value(text, from);
    auto value = parse_json(text.substr(from, end - from));
    if (!value) return tl::unexpected(value.error());
    if (auto* const list = value->array()) {
      for (JsonValue& one : *list) {
        auto added = add_one(std::move(one), inspection);
        if (!added) return added;
      }
    } else {
      auto added = add_one(*std::move(value), inspection);
      if (!added) return added;
    }
    from = text.find_first_not_of(" \t\r\n", end);
  }
  return {};
}

CccfDocument from_docker(const DockerInspection& inspection, std::string_view host,
                         CccfDiagnostics& problems) {
  std::map<std::string, const JsonValue*> images;  // By id and by every name.
  for (const JsonValue& image : inspection.images) {
    images.emplace(text_at(image, "Id"), &image);
    for (const char* const names : {"RepoTags", "RepoDigests"}) {
      for (const std::string& name : texts_at(image, names)) images.emplace(name, &image);
    }
  }
  const auto image_of = [&](const JsonValue& container) -> const JsonValue* {
    for (const std::string& name :
         {text_at(container, "Image"), "sha256:" + text_at(container, "Image"),
          text_at(at(container, "Config"), "Image")}) {
      const auto found = images.find(name);
      if (found != images.end()) return found->second;
    }
    return nullptr;
  };

  CccfDocument document;
  for (const JsonValue& container : inspection.containers) {
    const JsonValue* const image = image_of(container);
    CccfItem item;
    item.pointer = "/" + std::to_string(document.items.size());
    item.fields = Conversion(container, image == nullptr ? none() : *image).run();
    escape_texts(item.fields);
    if (!host.empty()) item.fields.set("host", std::string(host));
    if (image == nullptr) {
      problems.push_back({CccfDiagnostic::Severity::warning, "no-image", "", item.pointer,
                          fmt::format("the image {} of {} was not inspected: what it gives by "
                                      "default stands in the document",
                                      text_at(at(container, "Config"), "Image"), item.id())});
    }
    document.items.push_back(std::move(item));
  }
  return document;
}

}  // namespace shoal
