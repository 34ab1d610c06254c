"The docs site, how its pages are made and how they look; `python -m website build` makes it."
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]/'tools'))   # for address
