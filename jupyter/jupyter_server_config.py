"Saves notebooks as the repository keeps them: nbdev removes execution counts and other churn."
c = get_config()  # noqa: F821


def clean_on_save(**kwargs):
    try:
        from nbdev.clean import clean_jupyter
    except ModuleNotFoundError: return
    clean_jupyter(**kwargs)


c.FileContentsManager.pre_save_hook = clean_on_save
