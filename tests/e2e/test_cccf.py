"""cccf documents: shoal's tools beside the published ones, and on a real engine."""

import json
import pathlib
import random
import re
import shlex
import subprocess

import pytest

from harness import images
from harness.cccf import Oracle, cccf, cccf_json, install, pointers
from harness.docker import Docker
from harness.process import run

GUIDE = pathlib.Path(__file__).resolve().parents[2] / "docs/cccf.md"
SEEDS = range(60)


@pytest.fixture(scope="module")
def oracle():
    started = Oracle(install())
    yield started
    started.close()


def made_up(seed, count=6, *flags):
    return cccf_json("random", count, "--seed", seed, *flags)


def as_javascript(value):
    """Its numbers are all floating: ours keep their digits."""
    return json.loads(json.dumps(value), parse_int=float)


# Values that fields are set to: those that the schema is about, and others.
ODD = [None, True, 0, -1, 1.5, "", "a", "a b", "/a", "//a", "a.b", "80:80", "80:80/udp", "80:80/x",
       "80", 80, "99999:0", ":80", "A=1", "A=", "A", "A-B=1", "A=\n", "A=\r", "A=\u2028",
       "A=\u2029", "A=\u00e6", "\u00e6=1", "/a:/b", "/a:/b/", "/a:/", "/a:/b:ro", "n:/b", ":/b",
       "\0:/b", "a:b:/c",
       "/a:/b//c", "\u00e6\U0001f600:/\n", "$a", [], {}, ["a"], [["a"]], [{}], {"a": 1}]
FIELDS = ["id", "image", "cmd", "ports", "env", "volumes", "expose", "links", "scale", "unknown"]


def mutate(document, rng):
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(document))
        container = document[at]
        if not isinstance(container, dict) or rng.random() < 0.05:
            document[at] = rng.choice(ODD)
            continue
        field = rng.choice(FIELDS)
        roll = rng.random()
        if roll < 0.15:
            container.pop(field, None)
        elif roll < 0.45:
            container[field] = rng.choice(ODD)
        else:
            container[field] = [rng.choice(ODD) for _ in range(rng.randint(0, 4))]


def test_strict_rules_refuse_what_cccf_refuses_at_the_same_places(oracle):
    refused = 0
    for seed in range(400):
        rng = random.Random(seed)
        document = made_up(seed, 3) if seed % 8 == 0 else [
            {"id": "a", "image": "i"}, {"id": "b", "image": "i:1", "ports": ["1:1"]}]
        if seed % 8:
            mutate(document, rng)
        theirs = oracle.ask("validate", document)
        code, out, _ = cccf("validate", "--strict", "--json", given=document)
        ours = {one["pointer"] for one in json.loads(out)["diagnostics"]
                if one["severity"] == "error"}
        assert ours == (pointers(theirs["trace"]) if "trace" in theirs else set()), (seed, document)
        assert code == (0 if "ok" in theirs else 1)
        if "ok" in theirs:  # And whoever is not strict accepts it, too.
            code, out, _ = cccf("validate", given=document)
            assert code == 0 and json.loads(out) == document
        refused += "ok" not in theirs
    assert 50 < refused < 380


def test_what_cccf_makes_up_is_valid_and_goes_through_unchanged(oracle):
    document = oracle("random", 50)
    assert cccf_json("validate", "--strict", given=document) == document
    assert cccf_json("validate", "--strict", given=document[0]) == document[0]


def test_scaling_is_that_of_cccf_scale(oracle):
    for seed in SEEDS:
        document = made_up(seed)
        ours = cccf_json("scale", given=document)
        assert as_javascript(ours) == as_javascript(oracle("scale", document))
        plain = [one for one in ours if "-scale-x" not in one["id"]]
        assert as_javascript(cccf_json("unscale", given=plain)) == as_javascript(
            oracle("unscale", plain))


def test_differences_are_those_of_cccf_diff(oracle, folder):
    for seed in SEEDS:
        rng = random.Random(seed)
        current = made_up(seed, 8, "--plain")
        wanted = [json.loads(json.dumps(one)) for one in rng.sample(current, 5)]
        wanted[0]["image"] = f"changed/image:{seed}"
        wanted[1].setdefault("env", []).append("ADDED=yes")
        wanted += made_up(seed + 1000, 3, "--plain")
        rng.shuffle(wanted)
        (folder / "current.json").write_text(json.dumps(current))
        ours = cccf_json("diff", "--current", folder / "current.json", given=wanted)
        theirs = oracle("diff", {"current": current, "wanted": wanted})
        assert {name: ours[name] for name in theirs} == theirs
        gone = {one["id"] for one in theirs["remove"]}
        explained = {one["id"]: [field["field"] for field in one["fields"]]
                     for one in ours["changes"]}
        assert explained == {one["id"]: ["image"] if "changed" in one["image"] else ["env"]
                             for one in theirs["add"] if one["id"] in gone}


def test_instructions_are_those_of_cccf_docker_instructions(oracle):
    choices = {"dns": ["192.0.2.53", "192.0.2.54"], "restart": "always", "privileged": True,
               "t": True, "memory": "500MB", "host": "tcp://192.0.2.7:4243", "expose": ["80", "90"],
               "label": ["a=b"], "m": 12345678, "user": "1000"}
    for seed in SEEDS:
        rng = random.Random(seed)
        document = made_up(seed, 4, "--plain")
        for one in document:
            for name in rng.sample(sorted(choices), rng.randint(0, 5)):
                one[name] = choices[name]
            if rng.random() < 0.3:
                del one["cmd"]
        detach = rng.random() < 0.5
        exclude = rng.sample(sorted(choices), 2)
        flags = [part for name in exclude for part in ("--exclude", name)]
        if not detach:
            flags.append("--no-detach")
        for verb in ("run", "start", "stop", "kill", "rm"):
            theirs = oracle(verb, {"document": document,
                                   "options": {"detach": detach, "exclude": exclude}})
            ours = cccf_json("instructions", "--verb", verb, *flags, given=document)
            assert [one["argv"] for one in ours] == [shlex.split(line) for line in theirs]
            code, out, _ = cccf("instructions", "--print", "--verb", verb, *flags, given=document)
            assert code == 0
            assert [shlex.split(line) for line in out.splitlines()] == [one["argv"] for one in ours]


def test_variables_and_added_flags_are_those_of_cdi(oracle, folder):
    document = [{"id": "a", "image": "i:${TAG}", "env": ["A=1"]},
                {"id": "b", "image": "j:${TAG}", "cmd": "x ${TAG}"}]
    file = folder / "app.json"
    file.write_text(json.dumps(document))
    cdi = oracle.modules / "cccf-docker-instructions/cli.js"
    theirs = run(["node", cdi, "run", file, "--print", "--var", "TAG=1.4", "--dns", "192.0.2.53",
                  "--env", "B=2"])
    code, ours, err = cccf("instructions", "--print", "--var", "TAG=1.4", "--flag",
                           "dns=192.0.2.53", "--flag", "env=B=2", file)
    assert code == 0, err
    assert [shlex.split(line) for line in ours.splitlines()] == [
        shlex.split(line) for line in theirs.splitlines()]


def table_of_differences():
    """Rows of docs/cccf.md, "Deliberate differences": name, tool, inputs, theirs, ours."""
    section = GUIDE.read_text().split("## Deliberate differences")[1].split("\n## ")[0]
    rows = []
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if line.startswith("| ") and len(cells) == 5 and cells[1].startswith("`"):
            codes = [re.findall(r"`([^`]+)`", cell) for cell in cells]
            rows.append((cells[0], codes[1][0], codes[2], codes[3][0], codes[4][0]))
    return rows


def summary(tool, answer):
    """An answer as the table writes it."""
    if tool == "validate":
        return "accepted"
    if tool == "diff":
        return " ".join(f"{name} {','.join(one['id'] for one in answer[name]) or '-'}"
                        for name in ("keep", "add", "remove"))
    if tool in ("scale", "unscale"):
        answer = answer if isinstance(answer, list) else [answer]
        return " ".join(one["id"] + (f"*{one['scale']}" if "scale" in one else "") for one in answer
                        ) or "nothing"
    return "; ".join(line.strip() for line in answer)


def their_answer(oracle, tool, inputs):
    if tool == "validate":
        answer = oracle.ask("validate_text", inputs[0])
    elif tool == "diff":
        current, wanted = map(json.loads, inputs)
        answer = oracle.ask("diff", {"current": current, "wanted": wanted})
    elif tool in ("scale", "unscale"):
        answer = oracle.ask(tool, json.loads(inputs[0]))
    else:
        answer = oracle.ask(tool, {"document": json.loads(inputs[0]), "options": {}})
    if "ok" in answer:
        return summary(tool, answer["ok"])
    return "refused" if tool == "validate" else "error"


def our_answer(tool, inputs, folder):
    if tool == "diff":
        (folder / "current.json").write_text(inputs[0])
        code, out, err = cccf("diff", "--current", folder / "current.json", given=inputs[1])
    elif tool in ("validate", "scale", "unscale"):
        code, out, err = cccf(tool, given=inputs[0])
    else:
        code, out, err = cccf("instructions", "--print", "--verb", tool, given=inputs[0])
        out = json.dumps(out.splitlines())
    assert code in (0, 1), err
    if code == 1:
        assert "error" in err or "shoal: " in err
        return "refused" if tool == "validate" else "error"
    return summary(tool, json.loads(out))


def test_each_deliberate_difference_is_as_the_guide_lists_it(oracle, folder):
    rows = table_of_differences()
    assert len(rows) > 30
    wrong = []
    for name, tool, inputs, theirs, ours in rows:
        seen = (their_answer(oracle, tool, inputs), our_answer(tool, inputs, folder))
        if seen != (theirs, ours) or theirs == ours:
            wrong.append(f"{name}: {seen[0]!r} and {seen[1]!r}, not {theirs!r} and {ours!r}")
    assert not wrong, "\n".join(wrong)


@pytest.fixture
def engine(folder):
    started = Docker(folder / "docker")
    try:
        root = folder / "root.tar"
        root.write_bytes(images.make_tar({"bin/busybox": images.BUSYBOX.read_bytes()},
                                         executables=["bin/busybox"]))
        for tag in ("1", "2"):
            started.docker("import", "--change", "ENTRYPOINT [\"/bin/busybox\"]", "--change",
                           "CMD [\"sleep\", \"1000\"]", "--change", "ENV MODE=image LEVEL=1",
                           "--change", "EXPOSE 8080", "--change", "LABEL vendor=acme", "--change",
                           "WORKDIR /bin", "--change", "VOLUME /cache", "--change", "USER 0",
                           "--change", f"ENV TAG={tag}", root, f"acme/app:{tag}")
        yield started
    finally:
        started.close()


DOCUMENT = [
    {"id": "plain", "image": "acme/app:1"},
    {"id": "web", "image": "acme/app:1", "scale": 2,
     "cmd": "sh -c 'sleep 1000; echo \"two  words\"'",
     "ports": ["18080:8080", "18053:53/udp"], "expose": ["9000", "8080"],
     "env": ["MODE=user", "TEXT=it's $${HOME} & \"more\" \u2603", "EMPTY="],
     "volumes": ["/tmp", "data:/data:ro"], "label": ["tier=web", "note=two words"],
     "memory": "64MB", "cpu": 512, "restart": "on-failure:3", "dns": ["192.0.2.53"],
     "cap-add": ["NET_ADMIN"], "hostname": "shop", "workdir": "/", "depends": ["plain"],
     "placement": ["edge"], "stop_grace": "1s", "privileged": False},
    {"id": "shell", "image": "acme/app:1", "entrypoint": "busybox", "cmd": "tail -f /dev/null",
     "stop_grace": 0, "read-only": True, "tmpfs": ["/run"], "user": "1000", "init": False,
     "labels": {"a": "b"}, "ulimit": ["nofile=1000:2000"], "log-opt": ["max-size=1m"]},
]


def read_back(engine):
    ids = engine.docker("ps", "--all", "--quiet").split()
    used = engine.docker("inspect", "--format", "{{.Image}}", *ids).split()
    document = cccf_json("from-docker", given=engine.docker("inspect", *ids, *sorted(set(used))))
    code, asked, err = cccf("from-docker", "--all", "--engine", engine.socket)
    assert code == 0, err
    by_id = {one["id"]: one for one in json.loads(asked)}
    assert by_id == {one["id"]: one for one in document}
    return document


def carry_out(engine, text):
    subprocess.run(["sh", "-e"], input=text.encode(), check=True, capture_output=True, timeout=120,
                   env={"PATH": "/usr/bin:/bin", **engine.env})


def test_what_instructions_start_is_read_back_as_what_it_was(engine, folder):
    wanted = [dict(one) for one in DOCUMENT]
    code, lines, err = cccf("scale", given=wanted)
    assert code == 0, err
    code, lines, err = cccf("instructions", "--print", given=lines)
    assert code == 0, err
    carry_out(engine, lines)
    assert len(engine.docker("ps", "--quiet").split()) == 4

    def difference():
        (folder / "now.json").write_text(json.dumps(read_back(engine)))
        return cccf_json("diff", "--current", folder / "now.json", given=wanted)

    same = difference()
    assert (same["add"], same["remove"], same["changes"]) == ([], [], []), same["changes"]
    assert len(same["keep"]) == 4
    web = next(one for one in read_back(engine) if one["id"] == "web")
    assert "LEVEL=1" not in web["env"] and "vendor=acme" not in web["label"]

    # One image changes, one service has an instance more, one container goes.
    wanted[0]["image"] = "acme/app:2"
    wanted[1]["scale"] = 3
    del wanted[2]
    changed = difference()
    assert [one["id"] for one in changed["add"]] == ["plain", "web-scale-2"]
    assert sorted(one["id"] for one in changed["remove"]) == ["plain", "shell"]
    assert [one["id"] for one in changed["changes"]] == ["plain"]
    code, lines, err = cccf("instructions", "--print", given=changed)
    assert code == 0, err
    carry_out(engine, lines)
    same = difference()
    assert (same["add"], same["remove"]) == ([], [])
    assert sorted(one["id"] for one in same["keep"]) == ["plain", "web", "web-scale-1",
                                                         "web-scale-2"]
