#include "tests/support/raw_client.h"

#include <nlohmann/json.hpp>

#include "tests/support/http_text.h"

namespace understudy::testing_support {

std::string Answer::field(std::string_view name) const {
  return field_of(head, name).value_or("");
}
bool Answer::has(std::string_view name) const {
  return field_of(head, name).has_value();
}

bool RawClient::fill(Answer& answer) {
  switch (tls_ ? tls_->read(received_) : socket_.read(received_, 1u << 20)) {
    case Socket::Read::data:
      return true;
    case Socket::Read::end:
      answer.end = Answer::End::truncated;
      return false;
    case Socket::Read::reset:
      answer.end = Answer::End::reset;
      return false;
    case Socket::Read::timeout:
      answer.end = Answer::End::timeout;
      return false;
  }
  return false;
}

Answer RawClient::receive(bool to_head) {
  Answer answer;
  do {
    std::size_t head_end = std::string::npos;
    while ((head_end = received_.find("\r\n\r\n")) == std::string::npos) {
      if (!fill(answer)) return answer;
    }
    answer.head = received_.substr(0, head_end + 4);
    received_.erase(0, head_end + 4);
    answer.status = std::stoi(answer.head.substr(9, 3));
  } while (answer.status < 200);

  if (to_head || answer.status == 204 || answer.status == 304) return answer;
  answer.chunked = answer.field("transfer-encoding") == "chunked";
  if (answer.chunked) {
    std::size_t consumed = 0;
    while (true) {
      if (auto body = decode_chunks(received_, consumed)) {
        answer.body = std::move(*body);
        received_.erase(0, consumed);
        return answer;
      }
      if (!fill(answer)) break;
    }
  } else if (answer.has("content-length")) {
    const std::size_t length = std::stoul(answer.field("content-length"));
    received_.reserve(length);
    while (received_.size() < length && fill(answer)) {
    }
    answer.body = received_.substr(0, length);
    received_.erase(0, answer.body.size());
    return answer;
  } else {
    while (fill(answer)) {
    }
    if (answer.end == Answer::End::truncated) answer.end = Answer::End::complete;
  }
  answer.body = std::exchange(received_, {});
  return answer;
}

bool RawClient::receive_until(std::string_view text) {
  Answer ignored;
  while (received_.find(text) == std::string::npos) {
    if (!fill(ignored)) return false;
  }
  return true;
}

bool RawClient::at_end() {
  Answer answer;
  return received_.empty() && !fill(answer) && answer.end != Answer::End::timeout;
}

std::string post(std::string_view target, std::string_view body, std::string_view more_fields) {
  std::string bytes = "POST ";
  bytes.append(target).append(
      " HTTP/1.1\r\nhost: proxy.test\r\ncontent-type: application/json\r\n");
  bytes.append(more_fields).append("content-length: ").append(std::to_string(body.size()));
  return bytes.append("\r\n\r\n").append(body);
}

std::string get(std::string_view target, std::string_view more_fields) {
  std::string bytes = "GET ";
  bytes.append(target).append(" HTTP/1.1\r\nhost: proxy.test\r\n").append(more_fields);
  return bytes.append("\r\n");
}

std::string converse_body(std::string_view text) {
  using nlohmann::json;
  return json{{"messages", json::array({json{{"role", "user"},
                                             {"content", json::array({json{{"text", text}}})}}})}}
      .dump();
}

std::string converse(std::string_view text, std::string_view more_fields) {
  return post("/model/anthropic.claude-a/converse", converse_body(text), more_fields);
}

}  // namespace understudy::testing_support
