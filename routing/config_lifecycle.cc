// The `lifecycle` section.

#include "routing/config_sections.h"
#include "routing/day.h"

namespace understudy::routing {
namespace {

Parsed<std::optional<std::chrono::sys_days>> parse_day(std::string_view text) {
  using Day = std::optional<std::chrono::sys_days>;
  if (const auto day = day_from_text(text)) return good(Day(*day));
  return bad<Day>("must be a day like 2026-11-20, got " + shown(text));
}

ModelDates read_dates(const ConfigNode& node, std::string path, Problems& problems) {
  ModelDates dates;
  Section section(node, std::move(path), problems);
  section.read("launch", dates.launch, parse_day);
  section.read("legacy", dates.legacy, parse_day);
  section.read("extended_access", dates.extended_access, parse_day);
  section.read("end_of_life", dates.end_of_life, parse_day);
  section.read("replacement", dates.replacement, parse_text);
  section.finish();
  return dates;
}

}  // namespace

void read_lifecycle(Section& root, const std::filesystem::path& directory, Config& config) {
  const ConfigNode* node = root.find("lifecycle");
  if (node == nullptr) return;
  LifecycleConfig& lifecycle = config.lifecycle;
  Section section(*node, "lifecycle", root.problems());
  read_existing_file(section, "file", directory, lifecycle.file);
  section.read("warn_before", lifecycle.warn_before, duration_between(0ms, 3650 * 24h));
  if (const ConfigNode* poll = section.find("poll")) {
    Section asked(*poll, section.path_of("poll"), root.problems());
    lifecycle.poll_upstream = read_upstream_name(asked, config);
    asked.read("every", lifecycle.poll_every, duration_between(1min, 30 * 24h));
    asked.finish();
  }
  if (const ConfigNode* models = section.find("models")) {
    const std::string path = section.path_of("models");
    if (models->kind != ConfigNode::Kind::map) {
      section.problem("models", "must be a map of model ids");
    } else {
      for (const ConfigMember& member : models->members)
        lifecycle.models[member.key] =
            read_dates(member.value, path + '.' + shown(member.key), root.problems());
    }
  }
  section.finish();
}

}  // namespace understudy::routing
