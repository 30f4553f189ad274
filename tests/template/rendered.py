"""template.yaml as CloudFormation gets it: rendered by aws-sam-translator, with the values of its parameters filled in.

    python rendered.py FILE    writes what is rendered, with its references, for cfn-lint
"""

import json
import os
import pathlib
import re
import sys

# The translator asks for a region, and calls nothing.
os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")

from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOKEN = "0" * 64


def source(path="template.yaml"):
    """A template of this repository, with each short form (!Ref) in its long one."""
    return yaml_parse((ROOT / path).read_text())


def rendered():
    """What SAM makes of template.yaml."""
    template = source()
    # Only `sam build` knows where the code is.
    for function in of_type(template, "AWS::Serverless::Function").values():
        function["Properties"]["CodeUri"] = "s3://code/bootstrap.zip"
    return Translator({}, Parser()).translate(template, {"PlatformTokenSha256": TOKEN})


def named(value):
    """A reference in the words of infra/permissions.tsv: the name of what is meant, and what follows it."""
    if isinstance(value, str):
        return value
    (function, argument), = value.items()
    if function == "Ref":
        return argument
    if function == "Fn::GetAtt":
        resource, attribute = argument if isinstance(argument, list) else argument.split(".")
        assert attribute == "Arn", value
        return resource
    if function == "Fn::Sub":
        text = argument if isinstance(argument, str) else argument[0]
        text = re.sub(r"^arn:\$\{AWS::Partition\}:[\w-]+:\$\{AWS::Region\}:\$\{AWS::AccountId\}:", "", text)
        return re.sub(r"^\$\{(\w+)\.Arn\}", r"\1", text)
    if function == "Fn::If":
        condition, then, otherwise = argument
        assert otherwise == {"Ref": "AWS::NoValue"}, value
        return f"{named(then)} if {condition}"
    raise ValueError(f"{value} is no reference that is understood here")


def many(value):
    """One or several, as a list."""
    return value if isinstance(value, list) else [value]


def of_type(template, kind):
    """The resources of a type, by name."""
    return {name: it for name, it in template["Resources"].items() if it["Type"] == kind}


if __name__ == "__main__":
    pathlib.Path(sys.argv[1]).write_text(json.dumps(rendered(), indent=1))
