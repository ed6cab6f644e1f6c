#include "registry/http/text_response.h"

#include <utility>

namespace shoal {

Response text_response(int status, std::string text) {
  Response response;
  response.status = status;
  response.headers.add("Content-Type", "text/plain; charset=utf-8");
  response.headers.add("Cache-Control", "no-store");
  if (!text.ends_with('\n')) text += '\n';
  response.body = std::move(text);
  return response;
}

}  // namespace shoal
