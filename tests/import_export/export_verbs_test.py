#!/usr/bin/env python3
"""Runs the verbs of `shamon policy import` and `export` as a person would. usage: export_verbs_test.py SHAMON

What the exports say is export_tools_test.cpp's matter; here: where it goes, and the exit codes.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

POLICY = ("coalition c revision 1\ntype a_t\nlabel a { share a_t }\nlabel \"b (1)\" { }\n"
          "allow a -> \"b (1)\" udp/9\n")
BAD_XML = "<!DOCTYPE a [<!ENTITY b 'c'>]>\n<a>&b;</a>"


def main():
    shamon = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        environment = {k: v for k, v in os.environ.items() if k != "SHAMON_XEN_SOURCE"}

        def run(status, *words):
            ran = subprocess.run([shamon, "policy", *words], cwd=folder, env=environment,
                                 capture_output=True, text=True, timeout=60)
            assert ran.returncode == status, (words, ran.returncode, ran.stderr)
            return ran

        (folder / "p.policy").write_text(POLICY)
        (folder / "bad.policy").write_text("lable\n")
        (folder / "bad.xml").write_text(BAD_XML)
        for kind in ("cil", "ipsec", "flask"):
            printed = run(0, "export", kind, "p.policy").stdout
            assert "b_x20__x28_1_x29__t" in printed, printed
            assert run(0, "export", kind, "p.policy", "-o", kind).stdout == ""
            assert (folder / kind).read_text() == printed
            assert "bad.policy:1:1:" in run(2, "export", kind, "bad.policy", "-o", "none").stderr
            run(2, "export", kind, "missing.policy")
        run(0, "export", "cil", "p.policy", "-o", "cil", "--permission-map", "map")
        assert "class shamon_vm" in (folder / "map").read_text()
        run(2, "export", "flask", "p.policy", "--xen-source", "nowhere", "-o", "none")
        run(2, "export", "toml", "p.policy")
        refused = run(2, "import", "shype", "bad.xml", "-o", "none")
        assert refused.stderr.startswith("bad.xml:1:"), refused.stderr
        data = json.loads(run(2, "import", "shype", "bad.xml", "--json").stdout)
        assert data["schema"] == "shamon.policy.import/1" and not data["data"]["ok"], data
        assert data["data"]["errors"][0]["line"] == 1
        assert not (folder / "none").exists()
    print("every verb as it should be")
    return 0


sys.exit(main())
