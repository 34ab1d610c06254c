"The site's commands: `build` writes _docs, `serve` shows it here, `api` writes nbs/api.qmd."
import argparse
import contextlib
import sys
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from . import api
from .build import MISSING, build, project


def handler(folder: Path, prefix: str) -> partial:
    "Serves `folder` under / and under the path `prefix` that it is published at"
    class Handler(SimpleHTTPRequestHandler):
        def translate_path(self, path):
            return super().translate_path('/' + path.removeprefix(prefix)
                                          if path.startswith(prefix) else path)

        def send_error(self, code, message=None, explain=None):
            if code != 404: return super().send_error(code, message, explain)
            body = (folder/MISSING).read_bytes()
            self.send_response(code)
            self.send_header('Content-Type', 'text/html; charset=utf-8')
            self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args): pass

    return partial(Handler, directory=str(folder))


def serve(port: int) -> None:
    "Show the built site on this machine until interrupted"
    site = project()
    serves = handler(site['out'], site['path'])
    with ThreadingHTTPServer(('127.0.0.1', port), serves) as server:
        print(f'http://127.0.0.1:{server.server_port}/ (Ctrl-C stops it)', flush=True)
        with contextlib.suppress(KeyboardInterrupt): server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(prog='python -m website', description=__doc__)
    parser.add_argument('command', choices=['build', 'serve', 'api'])
    parser.add_argument('--port', type=int, default=8000, help='for serve; 0 takes a free one')
    args = parser.parse_args()
    if args.command == 'serve': return serve(args.port)
    if args.command == 'api': return api.write()
    start = time.time()
    count, wrong = build()
    print(f'{count} pages in {time.time() - start:.1f} s')
    if wrong: sys.exit('\n'.join([f'What is broken: {len(wrong)}', *wrong]))


if __name__ == '__main__': main()
