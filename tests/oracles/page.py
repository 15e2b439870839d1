"""Opens a page of phitap in a headless Chromium: what it shows, how soon, and the findings of axe-core.

    page.py ADDRESS STEPS

ADDRESS is that of the page, STEPS a JSON list, carried out in order in one browser:
  {"size": [width, height]}  {"dark": true}  {"print": true}  {"shot": "FILE.png"}  {"pdf": "FILE.pdf"}
  {"eval": "EXPRESSION"}     what it comes to, promises awaited, is an element of the answer's "values"
  {"axe": true}              violations of WCAG 2.2 A and AA are an element of "axe"
  {"wait": "EXPRESSION"}     until it is true, 120 s at most
The answer, printed as JSON, also has "load" (milliseconds until the page was drawn), "errors" (exceptions and
messages of the console), and "requests" (addresses asked for beside that of the page)."""

import asyncio
import base64
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import websockets

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def axe_source():
    """axe.min.js of axe-playwright-python; nothing else of that package is used."""
    for folder in sys.path:
        file = Path(folder) / "axe_playwright_python/axe.min.js"
        if file.exists():
            return file.read_text(encoding="utf-8")
    sys.exit("axe.min.js is not installed")


class Tab:
    def __init__(self, socket):
        self.socket, self.last, self.waiting = socket, 0, {}
        self.errors, self.requests = [], []
        self.reader = asyncio.create_task(self.read())

    async def read(self):
        async for text in self.socket:
            message = json.loads(text)
            if "id" in message:
                self.waiting.pop(message["id"]).set_result(message)
            elif message["method"] == "Runtime.exceptionThrown":
                details = message["params"]["exceptionDetails"]
                self.errors.append(details.get("exception", {}).get("description", details["text"]))
            elif message["method"] == "Log.entryAdded" and message["params"]["entry"]["level"] == "error":
                self.errors.append(message["params"]["entry"]["text"])
            elif message["method"] == "Network.requestWillBeSent":
                self.requests.append(message["params"]["request"]["url"])

    async def call(self, method, **params):
        self.last += 1
        answer = asyncio.get_running_loop().create_future()
        self.waiting[self.last] = answer
        await self.socket.send(json.dumps({"id": self.last, "method": method, "params": params}))
        message = await asyncio.wait_for(answer, 180)
        if "error" in message:
            sys.exit(f"{method}: {message['error']}")
        return message["result"]

    async def value(self, expression):
        result = await self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, allowUnsafeEvalBlockedByCSP=True
        )
        if "exceptionDetails" in result:
            sys.exit(f"{expression[:200]}: {result['exceptionDetails']}")
        return result["result"].get("value")

    async def until(self, expression):
        end = time.monotonic() + 120
        while time.monotonic() < end:
            if await self.value(expression):
                return
            await asyncio.sleep(0.01)
        sys.exit(f"never true: {expression}; {self.errors}")


AXE = """axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})
.then(r => r.violations.map(v => ({id: v.id, impact: v.impact, help: v.help, at: v.nodes.slice(0, 5).map(n => n.html.slice(0, 200) + ' ' + (n.any[0] || {}).message)})))"""


async def drive(address, steps, port):
    async with websockets.connect(port, max_size=1 << 28) as socket:
        tab = Tab(socket)
        for domain in ("Page", "Runtime", "Log", "Network"):
            await tab.call(f"{domain}.enable")
        out = {"values": [], "axe": []}
        begun = time.monotonic()
        await tab.call("Page.navigate", url=address)
        await tab.until("document.documentElement?.dataset?.ready === 'yes' ")
        out["load"] = round((time.monotonic() - begun) * 1000)
        for step in steps:
            ((name, of),) = step.items()
            if name == "size":
                await tab.call("Emulation.setDeviceMetricsOverride", width=of[0], height=of[1], deviceScaleFactor=1, mobile=False)
                await asyncio.sleep(0.3)
            elif name == "dark":
                features = [{"name": "prefers-color-scheme", "value": "dark" if of else "light"}]
                await tab.call("Emulation.setEmulatedMedia", features=features)
            elif name == "shot":
                shot = await tab.call("Page.captureScreenshot", captureBeyondViewport=True, format="png")
                Path(of).write_bytes(base64.b64decode(shot["data"]))
            elif name == "pdf":
                printed = await tab.call("Page.printToPDF", printBackground=True, preferCSSPageSize=True)
                Path(of).write_bytes(base64.b64decode(printed["data"]))
            elif name == "axe":
                await tab.call("Runtime.evaluate", expression=axe_source(), allowUnsafeEvalBlockedByCSP=True)
                out["axe"].append(await tab.value(AXE))
            elif name == "wait":
                await tab.until(of)
            elif name == "eval":
                out["values"].append(await tab.value(of))
            else:
                sys.exit(f"no such step: {name}")
        out["errors"] = tab.errors
        out["requests"] = [url for url in tab.requests if url != address]
        tab.reader.cancel()
        return out


def main():
    address, steps = sys.argv[1], json.loads(sys.argv[2])
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = subprocess.Popen(
            [
                PROGRAM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server",
                "--disable-background-networking", "--no-first-run", "--disable-extensions", "--hide-scrollbars",
                f"--user-data-dir={profile}", "--remote-debugging-port=0", "--window-size=1280,900", "about:blank",
            ],
            stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )
        try:
            file, end = Path(profile) / "DevToolsActivePort", time.monotonic() + 30
            while not (file.exists() and file.read_text().count("\n")) and time.monotonic() < end:
                time.sleep(0.05)
            number = file.read_text().split("\n")[0]
            import urllib.request

            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(f"http://127.0.0.1:{number}/json/list") as answer:
                pages = [t for t in json.load(answer) if t["type"] == "page"]
            print(json.dumps(asyncio.run(drive(address, steps, pages[0]["webSocketDebuggerUrl"]))))
        finally:
            browser.terminate()
            browser.wait(10)


if __name__ == "__main__":
    main()
