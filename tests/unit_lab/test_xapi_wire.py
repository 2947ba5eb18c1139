"""The bytes on the wire."""

import http.client
import json
import socket
from typing import Any

import pytest
from xapi_pool import Host

from lab.xapi import remote, wire_json, wire_xml
from lab.xapi.failure import Failure
from lab.xapi.values import Date, Int32

HEAD = '<?xml version="1.0"?><methodResponse><params><param>'
TAIL = "</param></params></methodResponse>"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a<b>&\"'", "<value>a&lt;b&gt;&amp;&quot;'</value>"),
        ("", "<value></value>"),
        (None, "<value></value>"),
        (1 << 40, "<value>1099511627776</value>"),
        (Int32(3), "<value><i4>3</i4></value>"),
        (True, "<value><boolean>1</boolean></value>"),
        (0.5, "<value><double>0.5</double></value>"),
        (1.0, "<value><double>1</double></value>"),
        (Date("20260101T00:00:00Z"), "<value><dateTime.iso8601>20260101T00:00:00Z</dateTime.iso8601></value>"),
        ([], "<value><array><data></data></array></value>"),
        (["a"], "<value><array><data><value>a</value></data></array></value>"),
        ({}, "<value><struct></struct></value>"),
        ({"k": 1}, "<value><struct><member><name>k</name><value>1</value></member></struct></value>"),
        ("x\x00y", "<value>xy</value>"),
    ],
)
def test_values_as_xml(value: Any, text: str) -> None:
    assert wire_xml.value_text(value) == text


def test_success_and_failure_as_xml() -> None:
    status = "<value><struct><member><name>Status</name><value>%s</value></member><member><name>%s</name>%s"
    end = "</member></struct></value>"
    assert wire_xml.response(5) == HEAD + status % ("Success", "Value", "<value>5</value>") + end + TAIL
    description = "<value><array><data><value>A</value><value>b</value></data></array></value>"
    assert wire_xml.failure_response(Failure("A", "b")) == (
        HEAD + status % ("Failure", "ErrorDescription", description) + end + TAIL
    )


def test_reading_xml() -> None:
    body = b"""<?xml version='1.0'?>
    <methodCall><methodName>a.b</methodName><params>
    <param><value><string>s</string></value></param><param><value>bare</value></param>
    <param><value><int>5</int></value></param><param><value><i8>6</i8></value></param>
    <param><value><boolean>0</boolean></value></param><param><value><double>1.5</double></value></param>
    <param><value><dateTime.iso8601>20260101T00:00:00</dateTime.iso8601></value></param>
    <param><value><array><data><value>x</value></data></array></value></param>
    <param><value><struct><member><name>k</name><value/></member></struct></value></param>
    </params></methodCall>"""
    assert wire_xml.parse_call(body) == (
        "a.b",
        ["s", "bare", 5, 6, False, 1.5, Date("20260101T00:00:00Z"), ["x"], {"k": ""}],
    )


@pytest.mark.parametrize("body", [b"", b"<a/>", b"<methodCall/>", b"<methodCall><methodName>x</methodName"])
def test_no_xml_call(body: bytes) -> None:
    with pytest.raises(wire_xml.Malformed):
        wire_xml.parse_call(body)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"method": "a", "params": {}}'])
def test_no_json_call(body: bytes) -> None:
    with pytest.raises(wire_json.Malformed):
        wire_json.parse_call(body)


def request(host: Host, path: str, body: bytes) -> remote.Reply:
    return remote.post(host.address, host.port, path, body, {"Content-Type": "text/xml"})


@pytest.mark.parametrize("path", ["/", "/RPC2", "/xmlrpc"])
def test_paths_and_content_types(host: Host, path: str) -> None:
    call = b"<methodCall><methodName>system.listMethods</methodName><params/></methodCall>"
    reply = request(host, path, call)
    assert (reply.status, reply.content_type) == (200, "text/xml")
    assert reply.body.startswith((HEAD + "<value><array><data><value>session.").encode()) or (
        reply.body.startswith((HEAD + "<value><array><data><value>").encode())
    )
    assert b">\n" not in reply.body and b"> <" not in reply.body


def test_json_content_type_and_versions(host: Host) -> None:
    body = {"jsonrpc": "2.0", "method": "system.listMethods", "params": [], "id": "x"}
    reply = request(host, "/jsonrpc", json.dumps(body).encode())
    assert reply.content_type == "application/json"
    assert json.loads(reply.body)["id"] == "x"
    del body["jsonrpc"]
    first = json.loads(request(host, "/jsonrpc", json.dumps(body).encode()).body)
    assert first["error"] is None and first["result"]["Status"] == "Success"
    body["method"] = "nonsense"
    assert json.loads(request(host, "/jsonrpc", json.dumps(body).encode()).body)["error"] == [
        "MESSAGE_METHOD_UNKNOWN",
        "nonsense",
    ]


def test_connections_are_kept_and_garbage_harms_nobody(host: Host, session: str) -> None:
    connection = http.client.HTTPConnection(host.address, host.port, timeout=10)
    connection.request("POST", "/jsonrpc", b"garbage")
    assert connection.getresponse().read() and connection.sock is not None
    kept = connection.sock
    body = json.dumps({"jsonrpc": "2.0", "method": "pool.get_all", "params": [session], "id": 1})
    connection.request("POST", "/jsonrpc", body)
    response = connection.getresponse()
    assert json.loads(response.read())["result"] and connection.sock is kept
    connection.close()
    with socket.create_connection((host.address, host.port), timeout=5) as broken:
        broken.sendall(b"\x00\x01")
    assert host.call("pool.get_all", session)


def test_text_survives_both_formats(host: Host, session: str) -> None:
    text = "ümlaut \U0001f40d <&> \" ' \n\t"
    pool = host.call("pool.get_all", session)[0]
    host.call("pool.set_name_description", session, pool, text)
    assert host.call("pool.get_name_description", session, pool) == text
    call = (
        "<methodCall><methodName>pool.get_name_description</methodName><params><param><value>%s</value></param>"
        "<param><value>%s</value></param></params></methodCall>" % (session, pool)
    )
    reply = request(host, "/", call.encode())
    assert wire_xml.escape(text).encode() in reply.body
