#include "orchestrator/cccf/instructions.h"

#include "orchestrator/cccf/words.h"
#include "tests/orchestrator/cccf/documents.h"

namespace shoal {
namespace {

Lines lines_of(const std::vector<DockerInstruction>& calls) {
  Lines lines;
  for (const DockerInstruction& call : calls) lines.push_back(quote_words(call.argv));
  return lines;
}

Lines lines_of(DockerVerb verb, std::string_view text, const InstructionOptions& options = {}) {
  CccfDiagnostics problems;
  auto lines = lines_of(docker_instructions(verb, document_of(text), options, problems));
  CHECK(brief(problems) == Lines{});
  return lines;
}

Lines problems_of(std::string_view text) {
  CccfDiagnostics problems;
  static_cast<void>(docker_instructions(DockerVerb::run, document_of(text), {}, problems));
  CHECK(has_errors(problems));
  return brief(problems);
}

TEST_CASE("A container runs with its flags in cccf-docker-instructions' order", "[cccf]") {
  CHECK(lines_of(
            DockerVerb::run,
            R"({"id":"app","image":"org/app:1","cmd":"server --x","ports":["80:80","53:53/udp"],)"
            R"("env":["A=1"],"expose":["80"],"volumes":["/t:/t"],"privileged":true,)"
            R"("host":"tcp://h:4243","dns":["8.8.8.8"]})") ==
        Lines{"docker -H=tcp://h:4243 run -d --privileged -p=80:80 -p=53:53/udp --env=A=1 "
              "--expose=80 --dns=8.8.8.8 --name=app --volume=/t:/t org/app:1 server --x"});
}

TEST_CASE("The other verbs take the id alone", "[cccf]") {
  const auto [verb, word] = GENERATE(table<DockerVerb, std::string>({{DockerVerb::start, "start"},
                                                                     {DockerVerb::stop, "stop"},
                                                                     {DockerVerb::kill, "kill"},
                                                                     {DockerVerb::rm, "rm"}}));
  CHECK(
      lines_of(verb, R"([{"id":"/a","image":"i","host":"/run/d.sock"},{"id":"b","image":"i"}])") ==
      Lines{"docker -H=unix:///run/d.sock " + word + " a", "docker " + word + " b"});
}

TEST_CASE("Nothing in a document reaches a shell unquoted", "[cccf]") {
  const auto lines =
      lines_of(DockerVerb::run,
               R"-({"id":"a","image":"i; rm -rf /","env":["B=two words","C=$(id)"],"x y":"`z`"})-");
  CHECK(lines == Lines{"docker run -d '--env=B=two words' '--env=C=$(id)' '--x y=`z`' --name=a "
                       "'i; rm -rf /'"});
}

TEST_CASE("Fields become the flags that Docker has", "[cccf]") {
  const auto [field, flags] = GENERATE(table<std::string, std::string>({
      {R"("links":["$db","db:x"])", "--link=db --link=db:x "},
      {R"("volumes-from":["$db"])", "--volumes-from=db "},
      {R"("rm":false)", "--rm=false "},
      {R"("cpu":512.4)", "--cpu-shares=512 "},
      {R"("cpu":1)", "--cpu-shares=2 "},
      {R"("labels":{"a":"b","n":1})", "--label=a=b --label=n=1 "},
      {R"("memory":"500MB")", "--memory=500MB "},
      {R"("oom-score-adj":0)", "--oom-score-adj=0 "},
      {R"("stop_grace":"1m30s")", "--stop-timeout=90 "},
      {R"("env":[])", ""},
      {R"("dns":null)", ""},
      {R"("scale":3,"placement":["x"],"constraints":["a==b"],"depends":[],"health":{"tcp":1})", ""},
      {R"("name":"other","driver":"docker","fingerprint":"00")", ""},
  }));
  CHECK(lines_of(DockerVerb::run, R"({"id":"a","image":"i",)" + field + "}") ==
        Lines{"docker run -d " + flags + "--name=a i"});
}

TEST_CASE("A bare volume is the same path on both sides", "[cccf]") {
  CHECK(lines_of(DockerVerb::run, R"({"id":"a","image":"i","volumes":["/data"]})") ==
        Lines{"docker run -d --name=a --volume=/data:/data i"});
}

TEST_CASE("Fields are excluded and flags are added where that is asked for", "[cccf]") {
  InstructionOptions options;
  options.detach = false;
  options.exclude = {"note"};
  options.flags = {{"dns", "8.8.8.8"}, {"env", "B=x=y"}, {"init", ""}};
  CHECK(lines_of(DockerVerb::run, R"({"id":"a","image":"i","note":1,"env":["A=1"]})", options) ==
        Lines{"docker run --init --env=A=1 --env=B=x=y --dns=8.8.8.8 --name=a i"});
}

TEST_CASE("What is depended on starts first and stops last", "[cccf]") {
  const auto* const text =
      R"([{"id":"web","image":"i","links":["$api"]},{"id":"other","image":"i"},)"
      R"({"id":"api","image":"i","depends":["db"]},{"id":"db","image":"i"},)"
      R"({"id":"db-scale-1","image":"i"}])";
  const auto ids = [&](DockerVerb verb) {
    CccfDiagnostics problems;
    Lines called;
    for (const auto& call : docker_instructions(verb, document_of(text), {}, problems)) {
      called.push_back(call.id);
    }
    return called;
  };
  CHECK(ids(DockerVerb::run) == Lines{"other", "db", "db-scale-1", "api", "web"});
  CHECK(ids(DockerVerb::stop) == Lines{"web", "api", "other", "db", "db-scale-1"});
}

TEST_CASE("What cannot be called is an error with its pointer", "[cccf]") {
  CHECK(problems_of(R"([{"id":"a","image":"i:${TAG}"}])") == Lines{"variable /0/image"});
  CHECK(problems_of(R"([{"id":"a","image":"i","x":{"y":1}}])") == Lines{"flag /0/x"});
  CHECK(problems_of(R"([{"id":"a","image":"i","x":[[1]]}])") == Lines{"flag /0/x"});
  CHECK(problems_of(R"([{"id":"a","image":"-v/:/host"}])") == Lines{"flag /0/image"});
  CHECK(problems_of(R"([{"id":"a","image":"i","cmd":"'"}])") == Lines{"flag /0/cmd"});
  CHECK(problems_of(
            R"([{"id":"a","image":"i","links":["b"]},{"id":"b","image":"i","links":["a"]}])") ==
        Lines{"dependency-cycle /0"});
  CHECK(problems_of(R"([{"id":"a","image":"i","links":["a"]}])") == Lines{"dependency-cycle /0"});
  CccfDiagnostics problems;
  static_cast<void>(docker_instructions(DockerVerb::stop, document_of(R"({"id":"-f","image":"i"})"),
                                        {}, problems));
  CHECK(brief(problems) == Lines{"flag /id"});
}

TEST_CASE("An escaped variable is called as what it stands for", "[cccf]") {
  CHECK(lines_of(DockerVerb::run, R"({"id":"a","image":"i","cmd":"sh -c 'echo $${HOME}'"})") ==
        Lines{"docker run -d --name=a i sh -c 'echo ${HOME}'"});
}

TEST_CASE("A difference stops and removes the old before it runs the new", "[cccf]") {
  CccfDiagnostics problems;
  const auto found =
      diff_cccf(document_of(R"([{"id":"a","image":"i:1","host":"h"},)"
                            R"({"id":"b","image":"i","links":["$a"]}])"),
                document_of(R"([{"id":"a","image":"i:2","host":"h"}])"), {}, problems);
  CHECK(lines_of(docker_instructions(found, {}, problems)) ==
        Lines{"docker stop b", "docker -H=h stop a", "docker rm b", "docker -H=h rm a",
              "docker -H=h run -d --name=a i:2"});
  CHECK(problems.empty());
}

}  // namespace
}  // namespace shoal
