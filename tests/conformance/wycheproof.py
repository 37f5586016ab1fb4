#!/usr/bin/env python3
"""Asks the accelerator what Project Wycheproof asks, and compares.

    wycheproof.py --program accelerator-answers [--suites DIR]

The files are looked for in wycheproof/ of $YETT_SUITES or --suites; exit status 77 when there is none, 1 when an answer is
wrong, 0 otherwise. A "valid" case must come out as it says, an "invalid" one must be refused, an "acceptable" one may be
refused. What a case has in DER the module never sees, since NSS decodes it: such cases are asked with what is inside where
the encoding is the right one, and otherwise left out, and counted.
"""
import argparse
import hashlib
import json
import lzma
import os
import pathlib
import subprocess
import sys

SKIPPED = 77
PARAMS = {"secp256r1": "06082a8648ce3d030107", "secp384r1": "06052b81040022", "secp521r1": "06052b81040023",
          "curve25519": "06092b06010401da470f01"}
COORDINATE = {"secp256r1": 32, "secp384r1": 48, "secp521r1": 66}
SPKI = {"secp256r1": "3059301306072a8648ce3d020106082a8648ce3d030107034200",
        "secp384r1": "3076301006072a8648ce3d020106052b81040022036200"}
DIGEST_INFO_SHA256 = "3031300d060960864801650304020105000420"
HASH = {"SHA-256": "256", "SHA-384": "384", "SHA-512": "512"}


def word(text):
    return text or "-"


def digest(group, test):
    return hashlib.new(group["sha"].replace("-", ""), bytes.fromhex(test["msg"])).hexdigest()


def der_signature(text, size):
    """r and s of a signature in DER as r || s; None when it is not DER, or has numbers that do not fit."""
    data = bytes.fromhex(text)

    def item(data, tag):
        if len(data) < 2 or data[0] != tag:
            return None, b""
        length, head = data[1], 2
        if length == 0x81 and len(data) > 2 and data[2] >= 0x80:
            length, head = data[2], 3
        elif length >= 0x80:
            return None, b""
        return (data[head:head + length], data[head + length:]) if len(data) >= head + length else (None, b"")

    body, rest = item(data, 0x30)
    if body is None or rest:
        return None
    numbers = []
    for _ in range(2):
        number, body = item(body, 0x02)
        if not number or number[0] >= 0x80 or (len(number) > 1 and number[0] == 0 and number[1] < 0x80):
            return None
        value = int.from_bytes(number, "big")
        if value >> (8 * size):
            return None
        numbers.append(value.to_bytes(size, "big").hex())
    return None if body else "".join(numbers)


def ask_hmac(document, group, test):
    size = group["tagSize"] // 4
    return f"hmac {document['algorithm'][-3:]} {word(test['key'])} {word(test['msg'])}", \
        lambda got: got[:size] == test["tag"]


def ask_hkdf(document, group, test):
    return (f"hkdf {document['algorithm'][-3:]} {word(test['ikm'])} {word(test['salt'])} {word(test['info'])} "
            f"{test['size']}"), lambda got: got == test["okm"]


NONCE_MAX = 2 * 128  # of libcrypto's AES-GCM, in digits; TLS has 12 bytes


def ask_open(document, group, test):
    if len(test["iv"]) > NONCE_MAX:
        return None
    cipher = "gcm" if document["algorithm"] == "AES-GCM" else "chacha"
    return (f"open {cipher} {word(test['key'])} {word(test['iv'])} {word(test['aad'])} {word(test['ct'])} "
            f"{word(test['tag'])}"), lambda got: got == test["msg"]


def ask_seal(document, group, test):
    if len(test["iv"]) > NONCE_MAX:
        return None
    cipher = "gcm" if document["algorithm"] == "AES-GCM" else "chacha"
    return (f"seal {cipher} {word(test['key'])} {word(test['iv'])} {word(test['aad'])} {word(test['msg'])}"), \
        lambda got: got == test["ct"] + test["tag"]


def ask_ecdh(document, group, test):
    curve, point, private = group["curve"], test["public"], test["private"]
    if curve != "curve25519":
        if not point.startswith(SPKI[curve]):
            return None
        point = point[len(SPKI[curve]):]
        private = int(private, 16).to_bytes(COORDINATE[curve], "big").hex()
    return f"ecdh {PARAMS[curve]} {private} {word(point)}", lambda got: got == test["shared"]


def ask_ecdsa(document, group, test):
    key = group["publicKey"]
    signature = test["sig"]
    if group["type"] == "EcdsaVerify":
        signature = der_signature(signature, COORDINATE[key["curve"]])
        if signature is None:
            return None
    return (f"ecdsa {PARAMS[key['curve']]} {key['uncompressed']} {digest(group, test)} {word(signature)}"), \
        lambda got: True


def ask_pkcs1(document, group, test):
    key = group["publicKey"]
    return (f"pkcs1 {key['modulus']} {key['publicExponent']} {DIGEST_INFO_SHA256}{digest(group, test)} "
            f"{word(test['sig'])}"), lambda got: True


def ask_pss(document, group, test):
    key = group["publicKey"]
    return (f"pss {HASH[group['sha']]} {group['sLen']} {key['modulus']} {key['publicExponent']} "
            f"{digest(group, test)} {word(test['sig'])}"), lambda got: True


QUESTIONS = {"MacTest": [ask_hmac], "HkdfTest": [ask_hkdf], "AeadTest": [ask_open, ask_seal], "XdhComp": [ask_ecdh],
             "EcdhTest": [ask_ecdh], "EcdsaVerify": [ask_ecdsa], "EcdsaP1363Verify": [ask_ecdsa],
             "RsassaPkcs1Verify": [ask_pkcs1], "RsassaPssVerify": [ask_pss]}


def run(program, path, problems):
    with lzma.open(path, "rt", encoding="utf-8") as file:
        document = json.load(file)
    asked, others = [], 0
    for group in document["testGroups"]:
        for test in group["tests"]:
            for question in QUESTIONS[group["type"]]:
                if question is ask_seal and test["result"] != "valid":
                    continue  # a good key and nonce with a bad text: there is nothing to refuse
                made = question(document, group, test)
                if made is None:
                    others += 1
                else:
                    asked.append((test, *made, question is ask_hmac))
    output = subprocess.run([program], input="".join(f"{line}\n" for _, line, _, _ in asked), text=True, check=True,
                            capture_output=True).stdout.splitlines()
    assert len(output) == len(asked), f"{path.name}: {len(asked)} questions, {len(output)} answers"
    for (test, line, right, by_value), answer in zip(asked, output):
        accepted = answer.startswith("ok") and (not by_value or right(answer[3:]))
        good = not accepted if test["result"] == "invalid" else \
            (accepted and right(answer[3:])) or (not accepted and test["result"] == "acceptable")
        if not good:
            problems.append(f"{path.name}: {test['tcId']} ({test['comment']}): {test['result']}, got {answer[:60]}: "
                            f"{line[:80]}")
    print(f"{path.name}: {len(asked)} questions, {others} cases left out")
    return len(asked)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", type=pathlib.Path, required=True)
    parser.add_argument("--suites", type=pathlib.Path)
    args = parser.parse_args()
    suites = pathlib.Path(os.environ["YETT_SUITES"]) if os.environ.get("YETT_SUITES") else args.suites
    files = sorted((suites / "wycheproof").glob("*.json.xz")) if suites else []
    if not files:
        print("SKIPPED wycheproof: no folder (YETT_SUITES)")
        return SKIPPED
    problems = []
    total = sum(run(args.program, path, problems) for path in files)
    for problem in problems:
        print(f"FAILED {problem}")
    print(f"wycheproof: {total} questions, {len(problems)} wrong answers")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
