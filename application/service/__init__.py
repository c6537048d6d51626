"""One running service: its parts, made from the settings, opened at first use and closed together."""

from application.service.assembly import open_service
from application.service.service import Service
from application.service.storages import Storages, name_storages, open_storages

__all__ = ["Service", "Storages", "name_storages", "open_service", "open_storages"]
