#include "orchestrator/engine/wanted_slot.h"

#include "orchestrator/cccf/service.h"
#include "orchestrator/engine/create_document.h"

namespace shoal {
namespace {

/// The engine's policy decides while it is there; this, when the container was found ended.
WantedSlot::Restart restart_of(const CccfItem& item) {
  const auto* const text = item.fields.find_text("restart");
  if (text == nullptr) return WantedSlot::Restart::always;
  if (*text == "no") return WantedSlot::Restart::never;
  return text->starts_with("on-failure") ? WantedSlot::Restart::on_failure
                                         : WantedSlot::Restart::always;
}

}  // namespace

WantedSlot wanted_slot(const CccfItem& item, const ImageReference& image, const std::string& slot,
                       std::uint64_t generation, CccfDiagnostics& problems) {
  const CccfService service = view(item, problems);
  const auto* const text = item.fields.find_text("image");
  WantedSlot wanted{service.id,
                    slot,
                    generation,
                    service.spec_hash,
                    image,
                    text != nullptr ? *text : service.image,
                    create_document(item, image, problems)};
  wanted.stop_grace = service.stop_grace;
  wanted.restart = restart_of(item);
  wanted.health = service.health;
  wanted.ports = service.ports;
  return wanted;
}

}  // namespace shoal
