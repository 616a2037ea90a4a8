"""What is known of a local archive during one run, so that twenty windows do not scan it twenty times."""

from __future__ import annotations

from pathlib import Path

from s4c_lib.errors import InputError, ProductCorruptError, StorageError
from s4c_lib.sources.archive_scan import Found, Scan, check_folder_date, list_folder, scan_folder
from s4c_lib.sources.model import Query, Rejected
from s4c_lib.sources.path_template import PathTemplate, Place
from s4c_lib.sources.product_facts import ProductFacts, read_facts

# Below a template's last folder products lie at once or one folder down.
_DEPTH_BELOW_TEMPLATE = 2


class ArchiveIndex:
    """Folders listed and metadata read so far; made for one run, thrown away after it.

    Nothing is read before a query needs it: with a path template only the folders of the window are listed, without
    one the whole tree once; metadata only of products that fit the query.
    """

    def __init__(self, root: Path, *, template: PathTemplate | None, max_depth: int) -> None:
        self._root = root
        self._template = template
        self._max_depth = max_depth
        self._scans: dict[Path, Scan] = {}
        self._folders: dict[Path, tuple[list[str], Scan]] = {}
        self._facts: dict[Path, ProductFacts | Rejected] = {}

    @property
    def folders_listed(self) -> int:
        """Count of walks and listings made so far; stays the same when everything is known."""
        return len(self._scans) + len(self._folders)

    def scan(self, query: Query) -> Scan:
        """Everything found where products of the query can lie."""
        if self._template is None:
            return self._scan(self._root, self._max_depth)
        result = Scan()
        self._descend(self._root, 0, Place(), self._template, query, result)
        return result

    def facts(self, found: Found) -> ProductFacts | Rejected:
        """Metadata of a product, or why it cannot be had."""
        if found.path not in self._facts:
            self._facts[found.path] = _read(found)
        return self._facts[found.path]

    def _scan(self, folder: Path, max_depth: int) -> Scan:
        if folder not in self._scans:
            self._scans[folder] = scan_folder(folder, max_depth=max_depth)
        return self._scans[folder]

    def _subfolders(self, folder: Path) -> tuple[list[str], Scan]:
        """Names of the folders in one above the template's last level; what else lies there is rejected."""
        if folder not in self._folders:
            scan = Scan()
            names = []
            for path, is_folder in list_folder(folder, scan):
                if is_folder:
                    names.append(path.name)
                else:
                    scan.reject(path, "outside_template", f"{path} lies above the folders of the path template")
            self._folders[folder] = (names, scan)
        return self._folders[folder]

    def _descend(
        self, folder: Path, level: int, place: Place, template: PathTemplate, query: Query, result: Scan
    ) -> None:
        if level == template.depth:
            below = self._scan(folder, _DEPTH_BELOW_TEMPLATE)
            result.rejected.extend(below.rejected)
            for found in below.found:
                misplaced = check_folder_date(found, place.when)
                if misplaced is None:
                    result.found.append(found)
                else:
                    result.rejected.append(misplaced)
            return
        names, listing = self._subfolders(folder)
        result.rejected.extend(listing.rejected)
        for name in names:
            entered = template.enter(place, level, name)
            if entered is None:
                text = f"{folder / name} does not fit the path template {template.written} and was not searched"
                result.reject(folder / name, "outside_template", text)
            elif entered.meets(query.date_from, query.date_to, query.tiles):
                self._descend(folder / name, level + 1, entered, template, query, result)


def _read(found: Found) -> ProductFacts | Rejected:
    try:
        return read_facts(found.path, found.name)
    except (ProductCorruptError, StorageError) as error:
        return Rejected(str(found.path), error.code, error.one_line, found.name)
    except InputError as error:
        # The only user input in a product is its tile id.
        return Rejected(str(found.path), "unknown_tile", error.one_line, found.name)
