#include "orchestrator/cccf/canonical.h"

#include "tests/orchestrator/cccf/documents.h"

namespace shoal {
namespace {

TEST_CASE("An image has one name, and a registry's port is no tag", "[cccf]") {
  const auto [image, name] = GENERATE(table<std::string, std::string>({
      {"app", "app:latest"},
      {"app:1", "app:1"},
      {"org/app", "org/app:latest"},
      {"reg:5000/app", "reg:5000/app:latest"},
      {"reg:5000/org/app:2", "reg:5000/org/app:2"},
      {"docker.io/library/app", "app:latest"},
      {"library/app:1", "app:1"},
      {"index.docker.io/org/app", "org/app:latest"},
      {"library/org/app", "library/org/app:latest"},
      {"app@sha256:abc", "app@sha256:abc"},
      {"reg:5000/app:1@sha256:abc", "reg:5000/app@sha256:abc"},
      {"", ""},
  }));
  CHECK(canonical_image(image) == name);
}

TEST_CASE("Spellings that mean the same container have one canonical form", "[cccf]") {
  const auto [one, other] = GENERATE(table<std::string, std::string>({
      {R"({"id":"a","image":"i"})", R"({"image":"i:latest","id":"/a","scale":3,"host":"h"})"},
      {R"({"env":["A=1","B=2"]})", R"({"env":["B=2","A=0","A=1"]})"},
      {R"({"env":["A=1"]})", R"({"e":"A=1"})"},
      {R"({"ports":["80:80","53:53/udp"]})", R"({"ports":["53:53/udp","080:80/tcp","80:80"]})"},
      {R"({"ports":["80:80"]})", R"({"publish":["0.0.0.0:80:80"]})"},
      {R"({"ports":["80:80"],"expose":["80","81"]})", R"({"p":"80:80","expose":["81/tcp"]})"},
      {R"({"volumes":["/a"]})", R"({"volumes":["/a:/a:rw"]})"},
      {R"({"volumes":["/a:/b:z,ro"]})", R"({"v":["/a:/b:ro,z"]})"},
      {R"({"cmd":"sh -c 'a b'"})", R"({"cmd":"sh  -c \"a b\""})"},
      {R"({"cmd":"","env":[],"dns":[],"restart":"no","privileged":false,"net":"bridge"})", "{}"},
      {R"({"memory":"500MB"})", R"({"memory":524288000})"},
      {R"({"memory":0,"cpu":0})", "{}"},
      {R"({"cpu":500})", R"({"cpu-shares":"500"})"},
      {R"({"labels":{"a":"b","c":""}})", R"({"label":["c","a=b"]})"},
      {R"({"links":["$db"]})", R"({"link":["db:db"]})"},
      {R"({"volumes-from":["$db"]})", R"({"volumes_from":["db"]})"},
      {R"({"cap-add":["NET_ADMIN"]})", R"({"cap-add":["cap_net_admin"]})"},
      {R"({"device":["/dev/fuse"]})", R"({"device":["/dev/fuse:/dev/fuse:rwm"]})"},
      {R"({"stop_grace":"30s"})", R"({"stop-timeout":30})"},
      {R"({"user":1000})", R"({"u":"1000"})"},
      {R"({"dns":"8.8.8.8"})", R"({"dns":["8.8.8.8"]})"},
      {R"({"x":{"b":1.0,"a":[1e1]}})", R"({"x":{"a":[10],"b":1}})"},
      {R"({"placement":["a"],"constraints":["b==c"],"depends":["d"],"health":{"tcp":1}})", "{}"},
  }));
  CAPTURE(one, other);
  CHECK(to_text(canonical(json_of(one))) == to_text(canonical(json_of(other))));
  CHECK(spec_hash(json_of(one)) == spec_hash(json_of(other)));
}

TEST_CASE("Containers that are not the same differ in their canonical form", "[cccf]") {
  const auto [one, other] = GENERATE(table<std::string, std::string>({
      {R"({"ports":["80:8080"]})", R"({"ports":["8080:80"]})"},
      {R"({"image":"i:1.2.3"})", R"({"image":"i:3.2.1"})"},
      {R"({"env":["V=12"]})", R"({"env":["V=21"]})"},
      {R"({"id":"web1"})", R"({"id":"w1eb"})"},
      {R"({"ports":["53:53"]})", R"({"ports":["53:53/udp"]})"},
      {R"({"dns":["a","b"]})", R"({"dns":["b","a"]})"},
      {R"({"cmd":"a b"})", R"({"cmd":"'a b'"})"},
      {R"({"x":1})", R"({"x":"1"})"},
      {R"({"x":null})", "{}"},
      {R"({"x":[1,2]})", R"({"x":[2,1]})"},
      {R"({"entrypoint":""})", "{}"},
      {R"({"volumes":["/a:/b"]})", R"({"volumes":["/a:/b:ro"]})"},
      {R"({"x":123456789012345678901})", R"({"x":123456789012345678902})"},
  }));
  CAPTURE(one, other);
  CHECK(to_text(canonical(json_of(one))) != to_text(canonical(json_of(other))));
  CHECK(spec_hash(json_of(one)) != spec_hash(json_of(other)));
}

TEST_CASE("The hash of a container does not change from one release to the next", "[cccf]") {
  const JsonValue fields =
      json_of(R"({"id":"/web","image":"acme/shop","ports":["80:80"],"env":["B=2","A=1"],"scale":2,)"
              R"("memory":"1MB","x":{"n":1.0}})");
  const std::string text = R"({"env":["A=1","B=2"],"id":"web","image":"acme/shop:latest",)"
                           R"("memory":"1048576","ports":["80:80"],"x":{"n":1}})";
  CHECK(to_text(canonical(fields)) == text);
  CHECK(spec_hash(fields) == Digest::of(text));
}

}  // namespace
}  // namespace shoal
