"`python -m digit_under_hood` is the command `digit-under-hood`."
from digit_under_hood.command import main

main()
