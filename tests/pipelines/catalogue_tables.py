"""Tables, assessment files and options of the catalogue: what spreadsheets, editors and hands do to them."""

from __future__ import annotations

from catalogue import Scene, noted, option, refused, same, sound, total, used

LEGEND = "code,ecosystem\n10,forest\n20,shrubland\n30,grassland\n40,cropland\n80,water\n95,mangrove\n"
CHINESE = "代码,生态系统,中文名\n10,forest,森林\n20,shrubland,灌木\n30,grassland,草地\n40,cropland,耕地\n80,water,水\n95,mangrove,红树林\n"
MINE = "topic,parameter,value,unit,source\nvolume_ratio,agb_per_volume,{},{},me\n"
POOLS = "lucode,LULC_name,C_above,C_below,C_soil,C_dead\n10,forest,120,30,80,5\n20,s,10,3,50,1\n30,g,2,3,60,0\n40,c,1,1,40,0\n80,w,0,0,0,0\n95,m,90,30,200,2\n"
TARGETS = "region_id,indicator,year,value,unit\n0101,forest_coverage,2025,{},{}\n"
PROFILE = "top_cm,bottom_cm,oc,bulk_density,coarse_fragments,product\n"


def legend(text: str | bytes, encoding: str = "utf-8"):
    return lambda s: s.text("legend", text, "legend.csv", encoding)


def mine(text: str | bytes, encoding: str = "utf-8"):
    return lambda s: s.text("parameters", text, "mine.csv", encoding)


def pools(text: str):
    def spoil(s: Scene) -> None:
        s.text("", text, "pools.csv")
        s.given["parameters"] = f"invest:{s.path('pools.csv')}"
        del s.given["legend"]

    return spoil


def targets(text: str):
    return lambda s: s.text("targets", text, "targets.csv")


def profile(rows: str):
    return lambda s: s.text("soil_profile", PROFILE + rows.format(agb=s.given["agb"]), "soil.csv")


def workbook(option_name: str):
    return lambda s: s.text(
        option_name, b"PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00!\x00" + bytes(range(256)) * 8, "book.csv"
    )


def pooled(found, plain) -> None:
    sound(found, plain)
    assert total(found, "area") == total(plain, "area")
    assert total(found, "carbon_total", ecosystem="all") > 0


def at_home(change) -> object:
    """A coefficient of one's own: every pool and the volume stay what the plain run says, but for what follows from it."""

    def right(found, plain) -> None:
        sound(found, plain)
        change(found, plain)

    return right


TABLES = {
    "a legend of one's own": used(legend(LEGEND), sound),
    "with a byte-order mark": used(legend(LEGEND, "utf-8-sig"), sound),
    "with semicolons": used(legend(LEGEND.replace(",", ";")), sound),
    "with tabs": used(legend(LEGEND.replace(",", "\t")), sound),
    "with Windows' line ends": used(legend(LEGEND.replace("\n", "\r\n")), sound),
    "with the line ends of old Macs": used(legend(LEGEND.replace("\n", "\r")), sound),
    "in GBK with Chinese headers": used(legend(CHINESE, "gb18030"), sound),
    "in UTF-16": used(legend(LEGEND, "utf-16"), sound),
    "with Excel's first line": used(legend("sep=,\n" + LEGEND), sound),
    "with quotes round every cell": used(legend("".join('"' + line.replace(",", '","') + '"\n' for line in LEGEND.splitlines())), sound),
    "with empty lines and columns": used(legend(LEGEND.replace("\n", ",,\n").replace("20,", "\n,,\n20,")), sound),
    "an empty legend": refused(legend(""), "the file is empty"),
    "only a header": refused(legend("code,ecosystem\n"), "the legend has no class"),
    "a column missing": refused(legend("code,name\n10,forest\n"), r"lacks the column\(s\) ecosystem"),
    "a column twice": refused(legend("code,code,ecosystem\n10,10,forest\n"), "occurs twice"),
    "a code twice": refused(legend(LEGEND + "10,forest\n"), "the code '10' is already on line 2"),
    "an ecosystem that is none": refused(legend(LEGEND.replace("forest", "wood")), "wood"),
    "a code that is no number": refused(legend(LEGEND.replace("10,", "ten,")), "code 'ten' is no whole number"),
    "a code with decimals": refused(legend(LEGEND.replace("10,", "10.5,")), "code '10.5' is no whole number"),
    "a workbook for a legend": refused(workbook("legend"), "neither UTF-8 nor GB18030 text"),
    "a legend that is not there": refused(option(legend="/nowhere/l.csv"), "there is no such file"),
    "a legend with a zero byte": refused(legend(LEGEND.encode().replace(b"forest", b"for\x00st")), "neither UTF-8|for"),
    "a cell that never ends": refused(legend('code,ecosystem\n10,"forest\n20,shrubland\n'), "forest"),
    "a formula for a class": refused(legend(LEGEND.replace("10,forest", "=10,forest")), "=10"),
    "a parameter of one's own": used(mine(MINE.format("0.9", "Mg m-3")), sound),
    "in a wrong unit": refused(mine(MINE.format("0.9", "kg m-3")), "is in 'kg m-3', but table .* holds it in 'Mg m-3'; convert"),
    "without a unit": refused(mine(MINE.format("0.9", "")), "line 2: the unit is empty"),
    "without a value": refused(mine(MINE.format("", "Mg m-3")), "line 2: the value is empty"),
    "a decimal comma": refused(mine(MINE.format('"0,9"', "Mg m-3")), "write decimals with a point"),
    "a decimal comma without quotes": refused(mine(MINE.format("0,9", "Mg m-3")), "line 2"),
    "a value of NaN": refused(mine(MINE.format("nan", "Mg m-3")), "line 2: the value is"),
    "an infinite value": refused(mine(MINE.format("inf", "Mg m-3")), "not finite"),
    "a formula for a value": refused(mine(MINE.format("=1+1", "Mg m-3")), "'=1\\+1', which is not a number"),
    "a negative share": refused(mine(MINE.format("-0.9", "Mg m-3")), "cannot be negative"),
    "an unknown table": refused(mine(MINE.replace("volume_ratio", "volume_ration").format(1, "m")), "volume_ration"),
    "an unknown parameter": refused(mine(MINE.replace("agb_per_volume", "agb_per_tree").format(1, "m")), "agb_per_tree"),
    "low above high": refused(mine("topic,parameter,value,unit,source,low,high\nvolume_ratio,agb_per_volume,1,Mg m-3,me,2,1\n"), "swap them"),
    "an unknown set": refused(option(parameters="chna"), "did you mean 'china'"),
    "a set that is not there": refused(option(parameters="/nowhere/mine.csv"), "there is no such file"),
    "InVEST's pools": used(pools(POOLS), pooled),
    "a pool below zero": refused(pools(POOLS.replace("120", "-120")), "a stock of carbon cannot be negative"),
    "a pool left blank": refused(pools(POOLS.replace("120,", ",")), "C_above.* is blank|c_above is blank"),
    "a pool in words": refused(pools(POOLS.replace("120", "much")), "'much', which is not a number"),
    "a land-cover code twice": refused(pools(POOLS + "10,x,1,1,1,1\n"), "given in an earlier row"),
    "a pool's column missing": refused(pools(POOLS.replace(",C_dead", "")), "lacks the column|stands in no column"),
    "pools for other codes": refused(pools("lucode,LULC_name,C_above,C_below,C_soil,C_dead\n1,x,1,1,1,1\n"), "knows only 0%"),
    "targets of one's own": used(targets(TARGETS.format(50, "%")), sound),
    "a target of 120 percent": refused(targets(TARGETS.format(120, "%")), "not between 0 and 100"),
    "a target in a wrong unit": refused(targets(TARGETS.format(50, "m3")), "does not fit forest_coverage"),
    "a target in the year 20255": refused(targets(TARGETS.replace("2025", "20255").format(50, "%")), "not a year"),
    "a target in the year 2025.5": refused(targets(TARGETS.replace("2025", "2025.5").format(50, "%")), "2025.5"),
    "a target of NaN": refused(targets(TARGETS.format("nan", "%")), "nan"),
    "a target of nothing": refused(targets(TARGETS.format("", "%")), "is not a number"),
    "a target of another region": refused(targets(TARGETS.replace("0101", "77").format(50, "%")), "not in this account: 77"),
    "a target of an unknown kind": refused(targets(TARGETS.replace("coverage", "coverag").format(50, "%")), "did you mean 'forest_coverage'"),
    "a target with an unknown comparison": refused(targets("region_id,indicator,year,value,unit,comparison\n0101,forest_coverage,2025,50,%,about\n"), "about"),
    "a profile upside down": refused(profile("30,0,{agb},{agb},,plain\n"), "soil|30"),
    "a profile with a gap": refused(profile("0,10,{agb},{agb},,plain\n20,30,{agb},{agb},,plain\n"), "soil|10|20"),
    "a profile of two products": refused(profile("0,10,{agb},{agb},,plain\n10,30,{agb},{agb},,percent\n"), "must be of one product"),
    "a profile of an unknown product": refused(profile("0,30,{agb},{agb},,mine\n"), "unknown soil product 'mine'"),
    "a profile without bulk density": refused(profile("0,30,{agb},,,plain\n"), "has no bulk density"),
    "a profile with a depth in words": refused(profile("top,30,{agb},{agb},,plain\n"), "top_cm is 'top', which is no number"),
    "a profile whose raster is gone": refused(profile("0,30,gone.tif,gone.tif,,plain\n"), "there is no such file"),
}  # fmt: skip


def toml(**lines: str):
    """An assessment file that says the plain scene, with these lines as well or instead."""

    def spoil(s: Scene) -> None:
        said = {k: f'"{v}"' for k, v in s.given.items()} | {"draws": "0", "out": '"out"'} | lines
        s.text("", "".join(f"{k} = {v}\n" for k, v in said.items()), "assessment.toml")

    return spoil


def raw(content: str | bytes, encoding: str = "utf-8"):
    return lambda s: s.text("", content, "assessment.toml", encoding)


FILES = {
    "an unknown key": refused(toml(landcovr='"x"'), "unknown key 'landcovr'; did you mean 'landcover'"),
    "a key twice": refused(raw('year = 2020\nyear = 2021\n'), "not a readable TOML file"),
    "no TOML": refused(raw("year: 2020\n"), "not a readable TOML file"),
    "TOML in GBK": refused(raw('legend = "图例"\n', "gb18030"), "not a readable TOML file"),
    "TOML cut short": refused(raw('landcover = "lc.t'), "not a readable TOML file"),
    "a year in quotes": refused(toml(year='"2023"'), "year is '2023'; write a whole number without quotes"),
    "a year with decimals": refused(toml(year="2023.5"), "year is 2023.5; write a whole number"),
    "a year as a date": refused(toml(year="2023-01-01"), "write a whole number"),
    "a year as yes": refused(toml(year="true"), "year is True; write a whole number"),
    "the year 20233": refused(toml(year="20233"), "which is no year of a map"),
    "the year 0": refused(toml(year="0"), "which is no year of a map"),
    "the year before": refused(toml(year="-5"), "which is no year of a map"),
    "an unknown layer": refused(raw('landcover="lc.tif"\nlegend="worldcover"\nout="o"\n[layers.agbb]\nnodata=0\n'), "did you mean 'agb'"),
    "an unknown key of a layer": refused(raw('landcover="lc.tif"\nlegend="worldcover"\nout="o"\n[layers.agb]\nnodat=0\n'), "did you mean 'nodata'"),
    "a nodata value in quotes": refused(raw('landcover="lc.tif"\nagb="agb.tif"\nlegend="worldcover"\nout="o"\n[layers.agb]\nnodata="0"\n'), "nodata"),
    "a band in quotes": refused(raw('landcover="lc.tif"\nagb="agb.tif"\nlegend="worldcover"\nout="o"\n[layers.agb]\nband="1"\n'), "band"),
    "a layer as a number": refused(toml(agb="5"), "agb is 5; write a path in quotes"),
    "a layer as a table": refused(raw('landcover="lc.tif"\nlegend="worldcover"\nout="o"\n[agb]\npath="agb.tif"\n'), "agb is .*write a path in quotes"),
    "layers as text": refused(toml(layers='"agb"'), r"tables \[layers.NAME\]"),
    "a list of regions": refused(toml(regions='["a.gpkg", "b.gpkg"]'), "regions is .*write text"),
    "a map by number": refused(toml(maps="[1, 2]"), "unknown map|names of maps"),
    "no worker": refused(toml(workers="0"), "--workers is 0; give a number above 0"),
    "half a worker": refused(toml(workers="0.5"), "write a whole number"),
    "memory below zero": refused(toml(memory="-1"), "--memory is -1"),
    "memory without end": refused(toml(memory="inf"), "--memory is inf; write a number that ends"),
    "an odd block": refused(toml(block_size="1000"), "multiple of 1024"),
    "a block as large as a number can be": refused(toml(block_size=str(2**62)), "--block-size is .*give a number from 1024 to 65536"),
    "too few draws": refused(toml(draws="5"), "at least 100"),
    "draws without end": refused(toml(draws="1000000000000"), "--draws is .*give a number from 0 to"),
    "a seed below zero": refused(toml(seed="-1"), "--seed"),
    "an error range of NaN": refused(toml(error_range="nan"), "--error-range"),
    "a share above one": refused(toml(strong_acid_share="1.5"), "share from 0 to 1"),
    "a share of NaN": refused(toml(permafrost_threshold="nan"), "--permafrost-threshold is nan; write a number that ends"),
    "an unknown definition": refused(toml(forest_definition='"ipcc"'), "choose china or fao"),
    "an unknown continent": refused(toml(continent='"atlantis"'), "atlantis"),
    "an unknown volume method": refused(toml(volume_method='"guess"'), "guess"),
    "an unknown origin": refused(toml(forest_origin='"mars"'), "mars"),
    "an unknown tillage": refused(toml(tillage='"deep"'), "deep"),
    "an unknown grazing": refused(toml(grazing='"cows"'), "cows"),
    "an unknown age of forest": refused(toml(forest_age='"old"'), "old"),
    "a canopy of 300 percent": refused(toml(canopy_threshold="300"), "canopy"),
    "a patch below zero": refused(toml(minimum_patch="-1"), "patch"),
    "a fraction above one": refused(toml(special_shrub_fraction="7"), "shrub"),
    "an unknown water": refused(toml(inland_water='"maybe"'), "maybe"),
    "a soil depth of 50": refused(toml(soil_depth="50"), "choose 30 or 100"),
    "an unknown zone": refused(toml(climate='"warm"'), "warm"),
    "an unknown document": refused(toml(target_document='"plan_99"'), "plan_99"),
    "Budyko below zero": refused(toml(budyko_w="-2"), "budyko"),
    "an output that is a file": refused(lambda s: toml(out=f'"{s.given["agb"]}"')(s), "is a file, but the output needs a directory"),
    "an output with a zero byte": refused(toml(out='"a\\u0000b"'), "out"),
    "a path with a zero byte": refused(toml(agb='"a\\u0000b.tif"'), "agb"),
    "with a byte-order mark": used(lambda s: (toml()(s), s.path("assessment.toml").write_bytes(b"\xef\xbb\xbf" + s.path("assessment.toml").read_bytes())), same),
    "a layer said to be of the file": used(lambda s: s.text("", "".join(f'{k} = "{v}"\n' for k, v in s.given.items() if k != "draws") + "draws = 0\n[layers.agb]\nnodata = -9999\n", "assessment.toml"), same),
    "the maps in a list": used(toml(maps='["carbon_total", "ecosystem"]'), same),
    "notes that the user reads": used(toml(parameters='"auto"'), noted("parameters: china, for the map lies inside", sound)),
}  # fmt: skip
