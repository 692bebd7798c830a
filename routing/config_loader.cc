#include "routing/config_loader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <utility>

#include "routing/config_loader_yaml.h"
#include "routing/config_sections.h"
#include "routing/hash.h"

namespace understudy::routing {
namespace {

struct FileBytes {
  std::string text;
  std::string problem;  // where it cannot be read
};

class Descriptor {
 public:
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const noexcept { return fd_; }

 private:
  int fd_;
};

std::string system_message(const char* what) {
  return std::string(what) + ": " + std::strerror(errno);
}

// What the open file is, not what its name meant a moment ago: links are swapped under us.
std::string file_problem(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return system_message("cannot be looked at");
  if (S_ISDIR(status.st_mode)) return "is a directory";
  if (!S_ISREG(status.st_mode)) return "is no regular file";
  if ((status.st_mode & S_IWOTH) != 0) return "can be written by anyone (chmod o-w)";
  return {};
}

FileBytes read_file(const std::filesystem::path& file) {
  // Without O_NONBLOCK, opening a pipe would wait for somebody to write.
  const Descriptor descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (descriptor.get() < 0) return {{}, system_message("cannot be opened")};
  if (std::string problem = file_problem(descriptor.get()); !problem.empty()) return {{}, problem};
  std::string text(kMaxConfigBytes + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(descriptor.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return {{}, system_message("cannot be read")};
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  text.resize(size);
  return {std::move(text), {}};
}

// How many bytes the UTF-8 character at the front has; 0 where it is none, or a control character.
std::size_t character_length(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) {
    const bool control = (first < 0x20 && first != '\t' && first != '\r' && first != '\n');
    return control || first == 0x7f ? 0 : 1;
  }
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  // Overlong forms, surrogates and what lies beyond Unicode (RFC 3629 section 4).
  const unsigned char second = byte(1);
  const bool forbidden = (first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
                         (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f);
  return forbidden ? 0 : length;
}

// False, with the problem reported, where the bytes are no text that a YAML parser should be shown.
bool is_fit_text(std::string_view text, Problems& problems) {
  const auto whole_file = [&](const char* what) {
    problems.add({}, "", what);
    return false;
  };
  if (text.size() > kMaxConfigBytes) return whole_file("is larger than 1 MiB");
  if (text.starts_with("\xef\xbb\xbf")) return whole_file("begins with a byte order mark");
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff") ||
      (text.size() > 1 && (text[0] == '\0' || text[1] == '\0'))) {
    return whole_file("is UTF-16 or binary; it must be UTF-8");
  }
  Place place{1, 1};
  for (std::size_t i = 0; i < text.size(); ++place.column) {
    const std::size_t length = character_length(text.substr(i));
    if (length == 0) {
      problems.add(place, "", "there is a control character, or a byte that is no UTF-8");
      return false;
    }
    if (text[i] == '\n') place = {place.line + 1, 0};
    i += length;
  }
  return true;
}

void read_root(const ConfigNode& tree, const std::filesystem::path& directory, Problems& problems,
               Config& config) {
  Section root(tree, "", problems);
  if (tree.kind != ConfigNode::Kind::map) return;
  read_listeners(root, directory, config.listeners);
  read_admin(root, directory, config.admin);
  read_upstreams(root, directory, config.upstreams);
  read_routes(root, config);
  read_default_route(root, config);
  read_records(root, directory, config.records);
  read_events(root, directory, config.events);
  read_lifecycle(root, directory, config);
  read_evidence(root, directory, config.evidence);
  read_limits(root, config.limits);
  read_process(root, directory, config);
  root.not_yet({"rollouts", "families", "tracing", "notifications"});
  root.finish();
  check_config(config, tree, problems);
}

// "routes[0]" and "upstreams.east" become "routes[sonnet]" and "upstreams[east]": what has a name
// is known by it, wherever it stands.
void name_elements(const Config& config, Settings& settings) {
  constexpr std::string_view kRoutes = "routes[", kUpstreams = "upstreams.";
  std::size_t upstream = 0;  // settings come in the order of the upstreams
  for (Setting& setting : settings) {
    std::string& key = setting.key;
    if (key.starts_with(kRoutes)) {
      const std::size_t end = key.find(']');
      const std::size_t place = std::stoul(key.substr(kRoutes.size(), end - kRoutes.size()));
      key.replace(kRoutes.size(), end - kRoutes.size(), config.routes.at(place).name);
    } else if (key.starts_with(kUpstreams)) {
      // Names may have dots: of two that fit, the later one begins where the longer one is.
      const auto length = [&](std::size_t i) -> std::size_t {
        if (i >= config.upstreams.size()) return 0;
        const std::string& name = config.upstreams[i].name;
        return key.compare(kUpstreams.size(), name.size() + 1, name + '.') == 0 ? name.size() : 0;
      };
      if (length(upstream + 1) > length(upstream)) ++upstream;
      key.replace(kUpstreams.size() - 1, 1, "[").insert(kUpstreams.size() + length(upstream), "]");
    }
  }
}

Settings settings_of(const Config& config, const Problems& problems) {
  Settings settings = problems.settings();
  name_elements(config, settings);
  std::string names;
  for (const RouteConfig& route : config.routes)
    names.append(names.empty() ? "" : ", ").append(route.name);
  settings.push_back(make_setting("routes order", std::move(names), ""));
  return settings;
}

void load(std::string_view yaml, const std::filesystem::path& file, Problems& problems,
          LoadedConfig& loaded) {
  if (!is_fit_text(yaml, problems)) return;
  const auto tree = parse_yaml(yaml, problems);
  if (!tree) return;
  if (tree->kind == ConfigNode::Kind::null) {
    problems.add({}, "", "is empty");
    return;
  }
  auto config = std::make_shared<Config>();
  read_root(*tree, std::filesystem::absolute(file).parent_path(), problems, *config);
  config->hash = hex(hash64(yaml));
  if (problems.has_errors()) return;
  config->settings = settings_of(*config, problems);
  loaded.config = std::move(config);
}

}  // namespace

std::string ConfigProblem::to_string() const {
  std::string text = file;
  if (line > 0) text += ':' + std::to_string(line) + ':' + std::to_string(column);
  text += ": ";
  if (warning) text += "warning: ";
  if (!key.empty()) text += key + ": ";
  return text + what;
}

LoadedConfig load_config_text(std::string_view yaml, const std::filesystem::path& file) {
  LoadedConfig loaded;
  Problems problems(file.string());
  try {
    load(yaml, file, problems, loaded);
  } catch (const std::exception& error) {
    problems.add({}, "", std::string("cannot be loaded: ") + error.what());
  }
  loaded.problems = std::move(problems).in_file_order();
  return loaded;
}

LoadedConfig load_config_file(const std::filesystem::path& file) {
  try {
    FileBytes bytes = read_file(file);
    if (bytes.problem.empty()) return load_config_text(bytes.text, file);
    return {nullptr, {{file.string(), 0, 0, "", std::move(bytes.problem), false}}};
  } catch (const std::exception& error) {
    return {nullptr, {{file.string(), 0, 0, "", error.what(), false}}};
  }
}

}  // namespace understudy::routing
