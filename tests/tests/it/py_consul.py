"""What a Python program does with py-consul, from keys to locks. Prints 'done' at its end."""
import sys
import threading
import time

import consul

PORT = int(sys.argv[1])
c = consul.Consul(host="127.0.0.1", port=PORT)


def until(probe, seconds=30):
    end = time.time() + seconds
    while True:
        found = probe()
        if found:
            return found
        assert time.time() < end, "not in %s seconds" % seconds
        time.sleep(0.05)


def keys():
    assert c.kv.put("app/name", "v1") is True
    index, entry = c.kv.get("app/name")
    assert entry["Value"] == b"v1" and entry["Key"] == "app/name", entry
    assert c.kv.put("app/name", "no", cas=1) is False
    assert c.kv.put("app/name", "v2", cas=entry["ModifyIndex"]) is True
    assert c.kv.put("app/flags", "x", flags=42) is True
    assert c.kv.get("app/flags")[1]["Flags"] == 42
    assert c.kv.get("app/", keys=True)[1] == ["app/flags", "app/name"]
    assert [e["Value"] for e in c.kv.get("app/", recurse=True)[1]] == [b"x", b"v2"]
    assert c.kv.get("nothing")[1] is None
    # A reader waits for a change.
    index, _ = c.kv.get("app/name")
    seen = []
    own = consul.Consul(host="127.0.0.1", port=PORT)
    reader = threading.Thread(target=lambda: seen.append(own.kv.get("app/name", index=index, wait="30s")))
    reader.start()
    c.kv.put("app/name", "v3")
    reader.join(30)
    assert seen and seen[0][1]["Value"] == b"v3" and int(seen[0][0]) > int(index), seen
    assert c.kv.delete("app/", recurse=True) is True
    assert c.kv.get("app/", recurse=True)[1] is None
    assert c.kv.put("bytes", bytes(range(256))) is True
    assert c.kv.get("bytes")[1]["Value"] == bytes(range(256))


def transactions():
    put = {"KV": {"Verb": "set", "Key": "t/a", "Value": "MQ=="}}
    done = c.txn.put([put, {"KV": {"Verb": "get", "Key": "t/a"}}])
    assert len(done["Results"]) == 2, done


def locks():
    session = c.session.create(name="py", ttl=30, lock_delay=0)
    assert c.kv.put("lock", "me", acquire=session) is True
    other = c.session.create(lock_delay=0)
    assert c.kv.put("lock", "them", acquire=other) is False
    assert c.session.renew(session)["ID"] == session
    assert c.session.info(session)[1]["Name"] == "py"
    assert c.kv.put("lock", "me", release=session) is True
    assert {s["ID"] for s in c.session.list()[1]} >= {session, other}
    assert c.session.destroy(session) and c.session.destroy(other)


def services():
    assert c.agent.service.register("web", service_id="web-1", address="127.0.0.1", port=8080, tags=["blue"],
                                    check=consul.Check.ttl("600s"))
    assert c.agent.services()["web-1"]["Port"] == 8080
    assert until(lambda: c.health.service("web")[1])[0]["Service"]["Tags"] == ["blue"]
    assert c.health.service("web", passing=True)[1] == []
    assert c.agent.check.ttl_pass("service:web-1", notes="fine")
    assert until(lambda: c.health.service("web", passing=True)[1])[0]["Checks"]
    assert c.catalog.service("web", tag="blue")[1][0]["ServicePort"] == 8080
    assert c.catalog.services()[1]["web"] == ["blue"]
    assert c.agent.check.register("disk", check=consul.Check.ttl("600s"))
    assert c.agent.check.ttl_warn("disk") and c.agent.checks()["disk"]["Status"] == "warning"
    assert c.agent.check.deregister("disk")
    assert c.agent.service.maintenance("web-1", "true", "test")
    assert until(lambda: not c.health.service("web", passing=True)[1])
    assert c.agent.service.maintenance("web-1", "false")
    assert c.agent.service.deregister("web-1")
    assert until(lambda: not c.catalog.service("web")[1])


def catalog():
    assert c.catalog.register("far", "10.1.2.3", service={"Service": "shop", "Port": 80},
                              check={"Name": "ok", "Status": "passing"})
    assert "far" in [n["Node"] for n in c.catalog.nodes()[1]]
    assert c.catalog.node("far")[1]["Services"]["shop"]["Port"] == 80
    assert c.health.node("far")[1][0]["Status"] == "passing"
    query = c.query.create("shop", name="find-shop")
    assert c.query.execute("find-shop")["Nodes"][0]["Node"]["Node"] == "far"
    assert c.query.delete(query["ID"])
    assert c.catalog.deregister("far")


def rest():
    assert c.agent.self()["Member"]["Status"] == 1
    assert c.agent.members()[0]["Name"]
    assert c.status.leader() and len(c.status.peers()) == 1
    assert c.catalog.datacenters() == ["dc1"]
    assert c.event.fire("deploy", body=b"now")["Name"] == "deploy"
    assert until(lambda: c.event.list(name="deploy")[1])[0]["Payload"] == b"now"
    assert c.coordinate.datacenters()
    try:
        c.catalog.register("", "")
        raise AssertionError("a node without a name was taken")
    except consul.ConsulException:
        pass


for part in (keys, transactions, locks, services, catalog, rest):
    part()
    print(part.__name__, flush=True)
print("done")
