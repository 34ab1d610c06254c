"How the server shows the student's course: its style and typefaces, and no hook on saving."
from pathlib import Path

here = Path(__file__).parent
c = get_config()  # noqa: F821
c.LabApp.custom_css = True
c.ServerApp.tornado_settings = {   # `static_custom_path` itself cannot be configured
    'static_custom_path': [str(here/'custom'), str(here.parents[1]/'website/static')]}
c.FileContentsManager.pre_save_hook = None
